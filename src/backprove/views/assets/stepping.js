// Steps through the passes of each drawing of a run. Without scripts, and in print, all is shown.
(() => {
  "use strict";
  const later = (element, is) => element.classList.toggle("later", is);
  const words = (node) => [...node.querySelectorAll("text")]
    .map((each) => each.textContent.replaceAll("\u200b", "")).filter((text) => !text.startsWith("⚠"));
  document.querySelectorAll("svg[data-passes]").forEach((drawing, number) => {
    const nodes = [...drawing.querySelectorAll("[data-order]")]
      .sort((a, b) => a.dataset.order - b.dataset.order);
    const count = nodes.length, last = 2 * count;
    let step = last;
    const bar = document.createElement("div"), said = document.createElement("p");
    bar.className = "stepping";
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", `Passes of drawing ${number + 1}`);
    said.className = "stepped";
    said.setAttribute("role", "status");
    const show = () => {
      const forward = Math.min(step, count), backward = step - forward;
      const known = new Map(), flowed = new Map();
      nodes.forEach((node, place) => {
        const value = place < forward, gradient = count - place <= backward;
        known.set(node.dataset.key, value);
        flowed.set(node.dataset.key, gradient);
        for (const line of node.querySelectorAll(".bp-reached")) later(line, !value);
        for (const line of node.querySelectorAll(".bp-returned")) later(line, !gradient);
        const now = step < last && (step <= count ? place === step - 1 : count - place === backward);
        node.classList.toggle("bp-now", now);
      });
      for (const label of drawing.querySelectorAll("text.bp-forward")) {
        later(label, known.get(label.dataset.target) === false);
      }
      for (const label of drawing.querySelectorAll("text.bp-backward")) {
        later(label, flowed.get(label.dataset.source) === false);
      }
      for (const [name, button] of Object.entries(buttons)) {
        button.disabled = name === "Start" || name === "Back" ? step === 0 : step === last;
      }
      if (step === 0) said.textContent = `Before the first of ${last} steps.`;
      else if (step === last) said.textContent = `All ${last} steps are shown.`;
      else {
        const node = nodes[step <= count ? step - 1 : count - backward], lines = words(node);
        const pass = step <= count ? `Forward ${step}` : `Backward ${backward}`;
        const line = step <= count ? lines.slice(0, -1).join(" = ") : lines.at(-1);
        said.textContent = `${pass} of ${count}: ${line}`;
      }
    };
    const go = (to) => { step = Math.max(0, Math.min(last, to)); show(); };
    const moves = { Start: () => go(0), Back: () => go(step - 1), Next: () => go(step + 1), End: () => go(last) };
    const buttons = {};
    for (const [name, move] of Object.entries(moves)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", move);
      buttons[name] = button;
      bar.append(button);
    }
    const keys = { ArrowRight: "Next", ArrowLeft: "Back", Home: "Start", End: "End" };
    bar.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      event.preventDefault();
      moves[keys[event.key]]();
      // A button that has just been disabled would lose the keyboard.
      if (document.activeElement.disabled || document.activeElement === document.body) {
        (step === last ? buttons.Back : buttons.Next).focus();
      }
    });
    drawing.closest(".bp-scroll").before(bar, said);
    show();
  });
})();
