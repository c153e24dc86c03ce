// Everything together.
const matrixTable = one("#matrix");
const sheets = matrixTable ? [new Sheet(matrixTable, "matrix", (_, place) => data.matrix[place].flat())] : [];
for (const table of all(".set table")) sheets.push(new Sheet(table, "set", (row) => [Number(row.id.slice(1))]));
const sets = sheets.filter((sheet) => sheet.kind === "set");
const placeOf = new Map(sets.flatMap((sheet) => sheet.rows.map((item) => [item.numbers[0], { sheet, item }])));
const extra = new Set(data.choice.map(([title]) => heading(title)));
const hidden = (title) => (extra.has(title) ? !state.show.includes(title) : state.hide.includes(title));
const charts = all("figure").map(chart);
const searched = Array.from({ length: data.count }, (_, row) =>
  ["name", "table", "tier", "family", "note", "settings", "recipe", "decoder"].map((field) => text(row, field)).join(" ").replace(".toml", "").toLowerCase());

function update() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (row) => !state.off.knows.includes(text(row, "knows")) && !state.off.family.includes(text(row, "family"))
    && !state.off.status.includes(text(row, "tier")) && words.every((word) => searched[row].includes(word));
  for (const section of all(".set")) section.hidden = section.id !== state.set;
  const counts = sheets.map((sheet) => {
    sheet.sort();
    sheet.choose();
    return sheet.filter(fits);
  });
  for (const mark of all("svg [data-r]")) mark.style.display = fits(Number(mark.dataset.r)) ? "" : "none";
  charts.forEach((enter) => enter());
  const kept = sets.reduce((sum, sheet) => sum + counts[sheets.indexOf(sheet)], 0);
  one("#count").textContent = `${kept} of ${data.count} rows`;
  one("#set").value = state.set;
  one("#q").value = state.q;
  for (const group of groups) for (const box of boxes(group)) box.checked = !state.off[group].includes(box.value);
  if (one("#grouped")) one("#grouped").checked = !state.flat;
  for (const box of all(".menu input")) box.checked = !hidden(box.value);
  write();
}

function menu(tools, sheet) {
  const list = one(".menu", tools);
  for (const title of [...sheet.titles.slice(1), ...(sheet.kind === "set" ? extra : [])]) {
    const box = make("input", { type: "checkbox", value: title });
    box.addEventListener("change", () => {
      const name = extra.has(title) ? "show" : "hide";
      state[name] = state[name].filter((other) => other !== title);
      if (box.checked === (name === "show")) state[name].push(title);
      update();
    });
    list.append(make("label", {}, box, ` ${title}`));
  }
}

for (const [kind, current] of [["matrix", () => sheets[0]], ["set", () => sets.find((sheet) => sheet.table.closest(".set").id === state.set)]]) {
  const tools = one(`#${kind}-tools`);
  if (!tools || !sheets.some((sheet) => sheet.kind === kind)) continue;
  menu(tools, sheets.find((sheet) => sheet.kind === kind));
  for (const press of all("[data-save]", tools)) press.addEventListener("click", () => save(current(), press.dataset.save));
  tools.hidden = false;
}
if (matrixTable) for (const item of sheets[0].rows) {
  item.first.append(make("span", { className: "told", textContent: `knows ${text(item.numbers[0], "knows")}` }));
}

const form = one(".controls");
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  if (!groups.includes(event.target.name)) return;
  for (const group of groups) state.off[group] = boxes(group).filter((box) => !box.checked).map((box) => box.value);
  update();
});
one("#q").addEventListener("input", (event) => { state.q = event.target.value; update(); });
one("#set").addEventListener("change", (event) => { state.set = event.target.value; update(); });
one("#grouped")?.addEventListener("change", (event) => { state.flat = !event.target.checked; update(); });
one("#reset").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname + location.search);
  load();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    one("#q").focus();
  }
  if (event.key === "Escape") for (const open of all(".columns[open]")) open.open = false;
});
document.addEventListener("click", (event) => {
  for (const open of all(".columns[open]")) if (!open.contains(event.target)) open.open = false;
});

function load() {
  read();
  const wanted = state.row;
  for (const sheet of sheets) for (const item of sheet.rows) sheet.toggle(item, false);
  state.row = wanted;
  update();
  if (!wanted) return;
  for (const sheet of sheets) for (const item of sheet.rows) if (keyOf(sheet.kind, item) === wanted) sheet.toggle(item, true);
}

// A link to a place on the page: a data set is shown first, and all that is chosen stays.
function jump(id) {
  const target = document.getElementById(id);
  if (!target) return;
  if (target.classList.contains("set")) state.set = id;
  update();
  target.scrollIntoView();
}

addEventListener("hashchange", () => (location.hash.includes("=") ? load() : jump(location.hash.slice(1))));
form.hidden = false;
// Headings of tables stay beneath the controls.
new ResizeObserver(() => {
  const above = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
  document.documentElement.style.setProperty("--bar", `${above}px`);
}).observe(form);
if (matchMedia("(max-width: 640px)").matches) one(".filters").open = false;
const arrived = location.hash.slice(1);
load();
if (arrived && !arrived.includes("=")) jump(arrived);
