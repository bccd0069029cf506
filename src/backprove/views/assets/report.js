// Adds the copy buttons. Without scripts the page is complete, only without them.
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
