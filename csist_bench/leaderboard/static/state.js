// What is chosen on the page, kept in the address behind the #, and what every part of the script uses.
"use strict";
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
const make = (tag, about = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), about);
  made.append(...inside);
  return made;
};
const data = JSON.parse(one("#data").textContent);
const found = new Map(data.groups.flatMap((group) => group.fields.map((field, place) => [field, { group, place }])));
const text = (row, field) => {
  const { group, place } = found.get(field);
  const kept = group.records[group.of[row]][place];
  return typeof kept === "number" ? data.strings[kept] : kept;
};

const groups = ["knows", "family", "status"];
const boxes = (group) => all(`input[name=${group}]`);
const home = one("#set option[selected]")?.value ?? one("#set").options[0]?.value ?? "";
const start = () => ({ set: home, q: "", off: {}, sort: {}, hide: [], show: [], flat: false, row: "" });
let state;

function read() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const list = (name) => (given.get(name) || "").split(",").filter(Boolean);
  state = { ...start(), q: given.get("q") || "", flat: given.has("flat"), hide: list("hide"), show: list("show") };
  state.row = given.get("row") || "";
  const named = all(".set").find((section) => section.dataset.name === given.get("set"));
  if (named) state.set = named.id;
  for (const group of groups) state.off[group] = list(`no-${group}`);
  for (const kind of ["matrix", "set"]) {
    const [column, direction] = (given.get(`sort-${kind}`) || "").split(":");
    if (column) state.sort[kind] = [column, direction === "up" ? 1 : -1];
  }
}

function write() {
  const kept = new URLSearchParams();
  if (state.set !== home) kept.set("set", one(`#${state.set}`).dataset.name);
  if (state.q) kept.set("q", state.q);
  for (const group of groups) if (state.off[group].length) kept.set(`no-${group}`, state.off[group].join(","));
  for (const [kind, [column, sign]] of Object.entries(state.sort)) kept.set(`sort-${kind}`, `${column}:${sign > 0 ? "up" : "down"}`);
  for (const name of ["hide", "show"]) if (state[name].length) kept.set(name, state[name].join(","));
  if (state.flat) kept.set("flat", "1");
  if (state.row) kept.set("row", state.row);
  const hash = kept.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}
