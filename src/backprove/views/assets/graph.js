// Steps through both passes, opens numbers and parts, and asks. Without scripts all is shown.
(() => {
  "use strict";
  const at = id => document.getElementById(id);
  const stage = at("stage"), said = at("said"), opened = at("opened"), up = at("up");
  const templates = name => new Map(
    [...document.querySelectorAll(`template.${name}`)].map(each => [each.dataset.key, each]));
  const scenes = templates("scene"), panels = templates("panel");
  const first = stage.firstElementChild;
  let scene = first, boxes = [], step = 0, opener = null;
  const hidden = new Map();  // in practice: what is asked for and not solved yet

  const read = () => {
    boxes = [...scene.querySelectorAll("[data-order]")]
      .sort((a, b) => a.dataset.order - b.dataset.order);
    step = 2 * boxes.length;
  };
  const later = (element, is) => element.classList.toggle("later", is);
  const show = () => {
    const count = boxes.length, forward = Math.min(step, count), backward = step - forward;
    const known = new Map(), flowed = new Map();
    boxes.forEach((box, place) => {
      const key = box.dataset.key, value = place < forward, gradient = count - place <= backward;
      known.set(key, value);
      flowed.set(key, gradient);
      for (const line of box.querySelectorAll(".bp-value")) later(line, !value);
      for (const line of box.querySelectorAll(".bp-gradient")) later(line, !gradient);
      const now = step < 2 * count && (step <= count ? place === step - 1 : count - place === backward);
      box.classList.toggle("bp-now", now);
      if (now) box.setAttribute("aria-current", "step"); else box.removeAttribute("aria-current");
    });
    // What lies in other parts has its value, and its gradient once all is shown.
    for (const box of scene.querySelectorAll(".bp-outside")) {
      for (const line of box.querySelectorAll(".bp-gradient")) later(line, step < 2 * count);
    }
    const reached = (map, key) => map.has(key) ? map.get(key) : step === 2 * count;
    for (const label of scene.querySelectorAll(".bp-forward")) {
      later(label, !reached(known, label.dataset.target) || cover(label));
    }
    for (const label of scene.querySelectorAll(".bp-backward")) {
      later(label, !reached(flowed, label.dataset.source) || hidden.size > 0);
    }
    mask();
    const where = scene === first ? "" : `${scene.dataset.title}: `;
    if (step === 0) said.textContent = `${where}before the first step of ${2 * count}.`;
    else if (step === 2 * count) said.textContent = `${where}all ${2 * count} steps are shown.`;
    else {
      const pass = step <= count ? "Forward" : "Backward";
      const box = boxes[step <= count ? step - 1 : count - backward];
      const line = step <= count ? box.dataset.forward : box.dataset.backward;
      const number = step <= count ? step : backward;
      const asked = hidden.size > 0 && ("scene" in box.dataset || covered(box.dataset.node));
      said.textContent = `${where}${pass} ${number} of ${count}: ${asked ? box.dataset.key : line}`;
    }
    at("start").disabled = at("back").disabled = step === 0;
    at("next").disabled = at("end").disabled = step === 2 * boxes.length;
  };
  const go = to => {
    step = Math.max(0, Math.min(2 * boxes.length, to));
    show();
    scene.querySelector(".bp-now")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const enter = key => {
    const template = scenes.get(key);
    scene = template ? template.content.firstElementChild.cloneNode(true) : first;
    stage.replaceChildren(scene);
    up.hidden = scene === first;
    read();
    show();
    scene.querySelector("[data-order]")?.focus();
  };
  const close = () => {
    if (opened.hidden) return false;
    opened.hidden = true;
    opened.replaceChildren();
    (opener?.isConnected ? opener : stage).focus();
    return true;
  };
  const open = (name, from) => {
    if (covered(name)) {
      said.textContent = `${name} is hidden: answer first.`;
      return;
    }
    const template = panels.get(name);
    if (!template) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "close";
    button.textContent = "Close";
    button.addEventListener("click", close);
    opener = from;
    opened.replaceChildren(button, template.content.cloneNode(true));
    opened.hidden = false;
    opened.setAttribute("aria-label", `Opened number: ${name}`);
    opened.focus();
  };
  const use = box => {
    if ("scene" in box.dataset) enter(box.dataset.scene);
    else if ("node" in box.dataset) open(box.dataset.node, box);
  };

  // --- practice ---
  const exercise = JSON.parse(at("exercise").textContent);
  const covered = name => [...hidden.values()].some(q => q.nodes.includes(name));
  const cover = label => [...hidden.values()].some(
    q => q.kind === "value" && q.nodes[0] === label.dataset.source);
  const mask = () => {
    // The last numbers of a part may be among those that are asked for.
    if (hidden.size) {
      for (const line of scene.querySelectorAll(".bp-part :is(.bp-value, .bp-gradient)")) later(line, true);
    }
    for (const box of scene.querySelectorAll("[data-node]")) {
      const asked = kind => [...hidden.values()].some(
        q => q.kind === kind && q.nodes[0] === box.dataset.node);
      for (const [style, kind] of [[".bp-value", "value"], [".bp-gradient", "gradient"]]) {
        for (const line of box.querySelectorAll(style)) {
          if (asked(kind)) {
            line.kept ??= [...line.childNodes];
            line.textContent = kind === "value" ? "?" : "gradient: ?";
            line.classList.add("bp-asked");
          } else if (line.kept) {
            line.replaceChildren(...line.kept);
            line.kept = null;
            line.classList.remove("bp-asked");
          }
        }
      }
    }
  };
  const precision = 0.005;
  const numeral = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
  // The number that a text states, and how far rounding may take it; null if it is none.
  const stated = text => {
    const plain = text.trim().replace(/^[=≈~]\s*/, "").replace(",", ".").replaceAll("\u2212", "-")
      .replace(/\s*[*·×]\s*10\s*(?:\^|\*\*)\s*\(?([-+]?\d+)\)?$/, "e$1");
    const special = /^([-+]?)\s*(∞|inf|infinity|nan)$/i.exec(plain);
    if (special) {
      const size = special[2].toLowerCase() === "nan" ? NaN : Infinity;
      return { value: special[1] === "-" ? -size : size, rounding: 0 };
    }
    const parts = plain.split("/").map(part => part.trim());
    if (parts.length > 2 || !parts.every(part => numeral.test(part))) return null;
    if (parts.length === 2) return { value: parts[0] / parts[1], rounding: 0 };
    const [mantissa, exponent] = plain.toLowerCase().split("e");
    const decimals = (mantissa.split(".")[1] ?? "").length - Number(exponent ?? 0);
    return { value: Number(plain), rounding: 0.5000001 * 10 ** -decimals };
  };
  const judge = (question, text) => {
    const given = stated(text);
    if (!given) return { kind: "open", said: "Write a number such as 40.171." };
    const { value, rounding } = given;
    const right = Number(String(question.right).replace("inf", "Infinity"));
    if (!Number.isFinite(right) || !Number.isFinite(value)) {
      return Object.is(right, value) ? { kind: "right" }
        : { kind: "wrong", said: "no slip that is known gives this number." };
    }
    const size = Math.abs(right), gap = Math.abs(value - right);
    const exact = Math.max(1e-9 * size, 1e-12);
    if (gap <= exact || gap <= Math.min(rounding, precision * size)) return { kind: "right" };
    if (gap <= rounding) return { kind: "open", said: "Rounded too far to tell: write more digits." };
    const near = question.slips.filter(slip => Math.abs(slip.value - value)
      <= Math.max(1e-9, Math.min(rounding, precision * Math.abs(slip.value))));
    const sentences = [...new Set(near.map(slip => slip.sentence))];
    return { kind: "wrong", said: sentences.length
      ? sentences.join(" Or: ") : "no slip that is known gives this number." };
  };
  const ask = () => {
    const [next] = hidden.values();
    at("asked").hidden = !next;
    at("answer").value = "";
    if (next) at("question").textContent = `${next.symbol} =`;
  };
  if (exercise && at("practise")) {
    const button = at("practise"), tables = at("numbers");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      hidden.clear();
      if (on) for (const each of exercise.questions) hidden.set(each.symbol, each);
      tables.open = false;
      tables.hidden = on;
      close();
      at("verdict").textContent = "";
      go(2 * boxes.length);
      ask();
      if (on) at("answer").focus();
    });
    at("asked").addEventListener("submit", event => {
      event.preventDefault();
      const [question] = hidden.values();
      if (!question) return;
      const found = judge(question, at("answer").value);
      const mark = { right: "✔ right", wrong: "✘ wrong: ", open: "? " }[found.kind];
      at("verdict").textContent = `${question.symbol}: ${mark}${found.said ?? ""}`;
      if (found.kind !== "right") return;
      hidden.delete(question.symbol);
      show();
      ask();
      if (hidden.size) at("answer").focus();
      else {
        at("verdict").textContent += " All numbers are found.";
        tables.hidden = false;
        button.setAttribute("aria-pressed", "false");
      }
    });
    at("skip").addEventListener("click", () => {
      const [question] = hidden.values();
      if (!question) return;
      hidden.delete(question.symbol);
      hidden.set(question.symbol, question);
      ask();
    });
  }

  // --- hands ---
  at("start").addEventListener("click", () => go(0));
  at("back").addEventListener("click", () => go(step - 1));
  at("next").addEventListener("click", () => go(step + 1));
  at("end").addEventListener("click", () => go(2 * boxes.length));
  up.addEventListener("click", () => enter(scene.dataset.parent));
  stage.addEventListener("click", event => {
    const box = event.target.closest(".bp-node");
    if (box) use(box);
  });
  const keys = {
    ArrowRight: () => go(step + 1), ArrowLeft: () => go(step - 1),
    Home: () => go(0), End: () => go(2 * boxes.length),
  };
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input")) return;
    const box = event.target.closest(".bp-node");
    if (box && (event.key === "Enter" || event.key === " ")) use(box);
    else if (event.key === "Escape" && (close() || scene !== first)) {
      if (opened.hidden && scene !== first && !opener?.isConnected) enter(scene.dataset.parent);
      opener = null;
    } else if (event.key in keys && !opened.contains(event.target)) keys[event.key]();
    else return;
    event.preventDefault();
  });
  read();
})();
