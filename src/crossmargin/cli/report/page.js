// Shows the titles of marks at the pointer at once, instead of the browser's slow ones. Without it the page still works.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  for (const title of document.querySelectorAll("svg.chart title")) {
    const owner = title.parentNode;
    if (owner.tagName !== "svg") owner.dataset.tip = title.textContent;
    title.remove(); // The drawing keeps its aria-label.
  }
  const hide = () => tip.classList.remove("seen");
  const show = (event) => {
    const mark = event.target.closest("[data-tip]");
    if (!mark) return hide();
    tip.textContent = mark.dataset.tip;
    tip.classList.add("seen");
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
    const below = event.clientY + 18 + tip.offsetHeight < window.innerHeight;
    tip.style.top = `${below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 12}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", hide, { passive: true });
})();
