// Charts: every point is named by hover and by keyboard.
function chart(figure) {
  const points = all("circle", figure);
  const curves = all(":is(path, text)[data-line]", figure);
  const tip = make("div", { className: "tip", hidden: true });
  figure.append(tip);
  let tapped = null;  // where there is no hovering, the first tap names a point and the second leads to its row
  const say = (point) => {
    for (const other of points) other.classList.toggle("at", other === point);
    for (const mark of curves) mark.classList.toggle("at", Boolean(point) && mark.dataset.line === point.dataset.line);
    tip.hidden = !point;
    if (!point) return;
    tip.textContent = point.ariaLabel;
    const [box, frame] = [point.getBoundingClientRect(), figure.getBoundingClientRect()];
    const left = box.left - frame.left + figure.scrollLeft + box.width / 2;
    // Towards the middle of the chart, where it covers no names at its ends.
    const aside = left < figure.scrollWidth / 2 ? left - 12 : left - tip.offsetWidth + 12;
    tip.style.left = `${Math.max(4, Math.min(aside, figure.scrollWidth - tip.offsetWidth - 4))}px`;
    const above = box.top - frame.top - tip.offsetHeight - 6;
    tip.style.top = `${above > 0 ? above : box.bottom - frame.top + 6}px`;
  };
  for (const point of points) {
    const row = Number(point.dataset.r);
    const { sheet, item } = placeOf.get(row);
    const cost = (title) => item.row.cells[sheet.titles.indexOf(title)]?.textContent;
    const title = one("title", point);
    point.ariaLabel = `${title.textContent}; ${cost("Frames/s")} frames/s, ${cost("Parameters")} parameters`;
    title.remove();
    point.setAttribute("role", "img");
    point.setAttribute("tabindex", "-1");
    point.addEventListener("pointerenter", () => say(point));
    point.addEventListener("pointerleave", () => say(null));
    point.addEventListener("focus", () => say(point));
    point.addEventListener("blur", () => say(null));
    point.addEventListener("click", () => {
      const again = tapped === point || matchMedia("(hover: hover)").matches;
      tapped = point;
      if (again) reveal(row);
      else say(point);
    });
  }
  const x = (point) => Number(point.getAttribute("cx")), y = (point) => Number(point.getAttribute("cy"));
  const ordered = [...points].sort((a, b) => x(a) - x(b) || y(a) - y(b));
  const enter = () => {
    const seen = ordered.filter((point) => point.style.display !== "none");
    for (const point of points) point.setAttribute("tabindex", point === seen[0] ? "0" : "-1");
  };
  figure.addEventListener("keydown", (event) => {
    const seen = ordered.filter((point) => point.style.display !== "none");
    const at = seen.indexOf(event.target);
    if (at < 0) return;
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: seen.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") reveal(Number(event.target.dataset.r));
    else if (event.key === "Escape") say(null);
    else if (next === undefined) return;
    else if (seen[next]) {
      event.target.setAttribute("tabindex", "-1");
      seen[next].setAttribute("tabindex", "0");
      seen[next].focus();
    }
    event.preventDefault();
  });
  return enter;
}
