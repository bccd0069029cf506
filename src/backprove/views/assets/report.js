// Adds copy buttons, search, filters and keys. Without scripts the page is complete, only without them.
(() => {
  "use strict";
  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const label = button.textContent;
    button.textContent = "copied";
    button.disabled = true;
    setTimeout(() => { button.textContent = label; button.disabled = false; }, 1200);
  };
  const add = (place, label, name, text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = label;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => copy(text(), button));
    place.append(button);
  };
  for (const pre of document.querySelectorAll("pre[data-copy]")) {
    const holder = document.createElement("div");
    holder.className = "copies";
    pre.before(holder);
    add(holder, "copy", "copy this code", () => pre.textContent);
  }
  for (const formula of document.querySelectorAll(".bp-formula")) {
    const holder = document.createElement("div");
    holder.className = "copies";
    formula.append(holder);
    const { copyLatex, copyCode } = formula.dataset;
    if (copyLatex) add(holder, "LaTeX", "copy the formula as LaTeX", () => copyLatex);
    if (copyCode) add(holder, "code", "copy the formula as code", () => copyCode);
  }
  for (const table of document.querySelectorAll(".bp-scroll > table")) {
    if (table.querySelector("math")) continue;
    const holder = document.createElement("div");
    holder.className = "copies";
    table.parentElement.after(holder);
    const plain = (cell) => cell.textContent.replace(/[\u2007\u2008]/g, "").replace(/\u2212/g, "-").trim();
    const quoted = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    add(holder, "CSV", "copy the table as CSV", () => [...table.rows]
      .map((row) => [...row.cells].map((cell) => quoted(plain(cell))).join(",")).join("\n") + "\n");
  }

  const finder = document.querySelector(".finder");
  const box = finder.querySelector("input");
  const said = finder.querySelector("output");
  const choices = [...finder.querySelectorAll("select")];
  const outcomes = [...document.querySelectorAll(".outcome")];
  const units = [...document.querySelectorAll(".prose > *, .question, .outcome")];
  const depth = (unit) => unit.matches(".question") ? 7 : /^H[1-6]$/.test(unit.tagName) ? +unit.tagName[1] : 0;
  const folded = (text) => text.toLowerCase().replace(/\s+/g, " ").trim();
  const texts = new Map();
  const textOf = (unit) => {
    if (!texts.has(unit)) {
      const copies = [...unit.querySelectorAll(".bp-formula")].map(({ dataset }) => `${dataset.copyLatex ?? ""} ${dataset.copyCode ?? ""}`);
      const copy = unit.cloneNode(true);
      for (const each of copy.querySelectorAll(".copies")) each.remove();
      texts.set(unit, folded([copy.textContent, ...copies].join(" ")));
    }
    return texts.get(unit);
  };
  const passes = (unit) => choices.every(({ value, dataset }) => {
    if (!value) return true;
    if (!unit.matches(".outcome")) return false;
    if (dataset.filter === "evidence") return (unit.dataset.levels ?? "").split(" ").includes(value);
    return value === "missed" ? "missed" in unit.dataset : unit.dataset.verdict === value;
  });
  const find = () => {
    const wanted = folded(box.value);
    const active = wanted !== "" || choices.some(({ value }) => value);
    const matches = units.map((unit) => passes(unit) && textOf(unit).includes(wanted));
    // From the end: a heading stays as long as anything below it does.
    const below = Array(8).fill(false);
    for (let at = units.length - 1; at >= 0; at -= 1) {
      const level = depth(units[at]);
      const shown = !active || matches[at] || (level > 0 && below[level]);
      units[at].hidden = !shown;
      if (level) below.fill(false, level);
      if (shown) below.fill(true, 0, level || 8);
    }
    const count = matches.filter(Boolean).length;
    const claims = units.filter((unit, at) => matches[at] && unit.matches(".outcome")).length;
    said.textContent = active ? `${count} ${count === 1 ? "match" : "matches"}, ${claims} of them ${claims === 1 ? "a statement" : "statements"}` : "";
  };
  const clear = () => {
    box.value = "";
    for (const choice of choices) choice.value = "";
    find();
  };
  finder.hidden = false;
  box.addEventListener("input", find);
  for (const choice of choices) choice.addEventListener("change", find);
  // What a link leads to must be visible.
  addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.closest("[hidden]")) { clear(); target.scrollIntoView(); }
  });

  let current = null;
  const step = (by) => {
    const claims = outcomes.filter((each) => each.dataset.verdict && !each.hidden);
    if (!claims.length) return;
    const focused = document.activeElement.closest?.(".outcome") ?? current;
    const at = claims.indexOf(focused);
    const next = at < 0 ? (by > 0 ? 0 : claims.length - 1) : Math.min(Math.max(at + by, 0), claims.length - 1);
    current = claims[next];
    current.focus({ preventScroll: true });
    current.scrollIntoView({ block: "start" });
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") { clear(); box.blur(); return; }
    if (event.target.matches?.("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); box.focus(); box.select(); }
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
  });

  const contents = document.querySelector(".contents details");
  if (contents && matchMedia("(max-width: 70rem)").matches) contents.open = false;
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("main details")) {
      each.dataset.was = each.open;
      each.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const each of document.querySelectorAll("main details")) each.open = each.dataset.was === "true";
  });
})();
