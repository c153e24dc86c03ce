"use strict";
(() => {
  const table = document.querySelector("table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const form = document.querySelector(".controls");
  const dataset = document.getElementById("dataset");

  const chosen = (name) => new Set(Array.from(form.querySelectorAll(`input[name=${name}]:checked`), (box) => box.value));

  function filter() {
    const family = chosen("family"), tier = chosen("tier"), wanted = dataset.value;
    const fits = (item) => family.has(item.dataset.family) && tier.has(item.dataset.tier);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !fits(row) || (wanted !== "" && row.dataset.dataset !== wanted);
      shown += !row.hidden;
    }
    for (const section of document.querySelectorAll(".charts")) {
      section.hidden = wanted !== "" && section.dataset.dataset !== wanted;
    }
    for (const mark of document.querySelectorAll("svg [data-family]")) {
      mark.style.display = fits(mark) ? "" : "none";
    }
    table.classList.toggle("one-dataset", wanted !== "");
    document.getElementById("count").textContent = `${shown} of ${rows.length} rows`;
  }

  function valueOf(row, column, kind) {
    const cell = row.cells[column];
    if (kind === "text") return cell.firstChild ? cell.textContent.trim().toLowerCase() : "";
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  }

  function compare(a, b, kind, sign) {
    const noA = a === null || a === "", noB = b === null || b === "";
    if (noA || noB) return noA - noB;  // empty cells stay last in either direction
    return sign * (kind === "text" ? a.localeCompare(b) : a - b);
  }

  function sort(column) {
    const head = heads[column], kind = head.dataset.kind;
    const first = kind === "number" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = head.getAttribute("aria-sort") === first ? other : first;
    for (const item of heads) item.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const keyed = rows.map((row) => [valueOf(row, column, kind), row]);
    keyed.sort((a, b) => compare(a[0], b[0], kind, sign));
    body.append(...keyed.map((pair) => pair[1]));
  }

  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => sort(column)));
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
