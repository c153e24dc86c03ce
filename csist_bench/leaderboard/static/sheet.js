// A table: sorted, filtered, its columns chosen, its rows opened.
const multiple = { K: 1e3, M: 1e6, G: 1e9 };
function numberOf(shown) {
  const found = /^(-?[\d,]*\.?\d+(?:e[+-]?\d+)?)(?: ([KMG]))?/.exec(shown);
  return found ? Number(found[1].replaceAll(",", "")) * (multiple[found[2]] || 1) : null;
}

// "ML, 5 frames" before "ML, 20 frames" before "ML-seq".
const collate = new Intl.Collator("en", { numeric: true }).compare;
function byParts(a, b) {
  const left = a.split(", "), right = b.split(", ");
  const place = left.findIndex((part, at) => part !== right[at]);
  return place < 0 ? left.length - right.length : right[place] === undefined ? 1 : collate(left[place], right[place]);
}

const heading = (title) => title[0].toUpperCase() + title.slice(1);

class Sheet {
  constructor(table, kind, rowsOf) {
    Object.assign(this, { table, kind, heads: Array.from(table.tHead.rows[0].cells), bodies: Array.from(table.tBodies) });
    this.titles = this.heads.map((head) => head.textContent);
    this.rows = this.bodies.flatMap((body) => Array.from(body.rows).filter((row) => !row.classList.contains("tier"))
      .map((row) => ({ row, body, first: row.cells[0] })));
    this.rows.forEach((item, place) => Object.assign(item, { place, numbers: rowsOf(item.row, place) }));
    this.heads.forEach((head, column) => {
      const press = make("button", { type: "button" }, ...head.childNodes);
      press.addEventListener("click", () => this.press(column));
      head.append(press);
    });
    for (const item of this.rows) {
      item.more = make("button", { type: "button", className: "more", ariaExpanded: "false" }, item.first.firstChild);
      item.more.addEventListener("click", () => this.toggle(item));
      item.first.prepend(item.more);
    }
  }

  // A column by choice; none is made before it is chosen.
  add(field, counts, best, description) {
    const title = heading(field);
    this.heads.push(make("th", { scope: "col", title: description, className: counts ? "number" : "" }));
    const column = this.heads.length - 1;
    this.heads[column].dataset.best = best;
    const press = make("button", { type: "button", textContent: title });
    press.addEventListener("click", () => this.press(column));
    this.heads[column].append(press);
    this.table.tHead.rows[0].append(this.heads[column]);
    this.titles.push(title);
    for (const item of this.rows) {
      const cell = item.row.insertCell();
      cell.textContent = text(item.numbers[0], field) || "–";
      cell.style.textAlign = counts ? "right" : "left";
    }
  }

  press(column) {
    const [now, sign] = state.sort[this.kind] || [];
    const down = this.heads[column].classList.contains("number") && this.heads[column].dataset.best !== "low";
    state.sort[this.kind] = [this.titles[column], now === this.titles[column] ? -sign : down ? -1 : 1];
    update();
  }

  sort() {
    const [title, sign] = state.sort[this.kind] || [];
    const wanted = JSON.stringify([title, sign, state.flat]);
    if (this.sorted === wanted) return;
    this.sorted = wanted;
    const column = this.titles.indexOf(title);
    this.heads.forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    const counts = column >= 0 && this.heads[column].classList.contains("number");
    const value = (item) => {
      const shown = (column ? item.row.cells[column] : item.more).textContent.trim();
      return counts ? numberOf(shown) : shown === "–" ? null : shown.toLowerCase();
    };
    const flat = this.kind === "matrix" && state.flat;
    if (flat && column < 0) {
      this.arrange(this.byMean(), flat);
      return;
    }
    const keyed = this.rows.map((item) => [column < 0 ? item.place : value(item), item]);
    keyed.sort(([a, left], [b, right]) => {
      if (column < 0) return a - b;
      if (a === null || b === null) return (a === null) - (b === null) || left.place - right.place;
      return (sign * (counts ? a - b : byParts(a, b))) || left.place - right.place;
    });
    this.arrange(keyed.map((pair) => pair[1]), flat);
  }

  byMean() {
    const mean = (item) => numberOf(item.row.cells[1].textContent) ?? -1;
    const free = (item) => numberOf(item.row.cells[2].textContent) ?? -1;
    const only = (item) => numberOf(item.row.cells[1].textContent) === null;
    return [...this.rows].sort((a, b) => only(a) - only(b) || (only(a) ? free(b) - free(a) : mean(b) - mean(a)));
  }

  arrange(order, flat) {
    for (const item of order) {
      (flat ? this.bodies[0] : item.body).append(item.row, ...(item.detail ? [item.detail] : []));
    }
  }

  filter(fits) {
    let shown = 0;
    for (const item of this.rows) {
      item.row.hidden = !item.numbers.some(fits);
      if (item.detail) item.detail.hidden = item.row.hidden;
      shown += !item.row.hidden;
    }
    const flat = this.kind === "matrix" && state.flat;
    for (const body of this.bodies) {
      const head = one("tr.tier", body);
      if (head) head.hidden = flat || !this.rows.some((item) => item.body === body && !item.row.hidden);
    }
    this.table.classList.toggle("flat", flat);
    return shown;
  }

  choose() {
    for (const choice of this.kind === "set" ? state.show : []) {
      const known = data.choice.find(([title]) => heading(title) === choice);
      if (known && !this.titles.includes(choice)) this.add(...known);
    }
    const wanted = this.titles.filter(hidden).join();
    if (this.chosen === wanted) return;
    this.chosen = wanted;
    for (const [column, title] of this.titles.entries()) {
      const off = column > 0 && hidden(title);
      this.heads[column].hidden = off;
      for (const item of this.rows) item.row.cells[column].hidden = off;
    }
  }

  toggle(item, open = !item.detail) {
    if (open === Boolean(item.detail)) return;
    item.more.ariaExpanded = String(open);
    if (open) {
      const cell = make("td", { colSpan: this.heads.length }, details(this.kind, item.numbers));
      item.detail = make("tr", { className: "detail" }, cell);
      item.row.after(item.detail);
    } else {
      item.detail.remove();
      item.detail = null;
    }
    state.row = open ? keyOf(this.kind, item) : "";
    write();
  }

  // What a file of the table holds: its shown cells from top to bottom, and what each row's method was told.
  shownCells() {
    const items = this.rows.filter((item) => !item.row.hidden);
    items.sort((a, b) => (a.row.compareDocumentPosition(b.row) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    const columns = [...this.titles.keys()].filter((column) => !this.heads[column].hidden);
    const cells = items.map((item) => columns.map((column) => cellText(item.row.cells[column])));
    return { heads: columns.map((column) => this.titles[column]), cells, knows: items.map((item) => text(item.numbers[0], "knows")) };
  }
}

const cellText = (cell) => Array.from(cell.childNodes).filter((node) => node.className !== "told" || state.flat)
  .map((node) => node.textContent.trim()).filter(Boolean).join(" ");
const keyOf = (kind, item) => {
  const row = item.numbers[0];
  const mark = text(row, "predictions").replace(/\W/g, "").slice(-8);
  return [kind, mark, text(row, "ranked by"), text(row, "name")].filter(Boolean).join(":");
};
