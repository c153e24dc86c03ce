// The details of a row, and the commands that repeat it.
function details(kind, numbers) {
  const inner = make("div", { className: "inner" });
  if (kind === "set") inner.append(...detail(numbers[0]));
  else inner.append(places(numbers), ...detail(numbers[0], `On ${text(numbers[0], "table")}`));
  return inner;
}

// Every row of a line of the overview: its data set, decoder and score, with a way to it.
function places(numbers) {
  const list = make("dl");
  for (const table of new Set(numbers.map((row) => text(row, "table")))) {
    const links = numbers.filter((row) => text(row, "table") === table).map((row) => {
      const score = one(`#r${row}`).cells[1].textContent;
      const said = `${score} ${text(row, "decoder") || "published"}`;
      const link = make("button", { type: "button", className: "copy", textContent: said, title: "show in its table" });
      link.addEventListener("click", () => reveal(row));
      return make("span", { className: "place" }, link);
    });
    list.append(make("dt", { textContent: table }), make("dd", {}, ...links));
  }
  return list;
}

function detail(row, heading) {
  const list = make("dl");
  for (const name of data.details) {
    const value = text(row, name);
    if (!value) continue;
    const links = { paper: value, code: value, recipe: data.recipes + value };
    const shown = name in links ? make("a", { href: links[name], rel: "noopener", textContent: value }) : value;
    list.append(make("dt", { textContent: name }), make("dd", {}, shown));
  }
  const parts = heading ? [make("h4", { textContent: heading }), list] : [list];
  const commands = [text(row, "make the data"), text(row, "repeat")].filter(Boolean).join("\n");
  if (commands) parts.push(make("h4", {}, "Repeat this row ", copier(commands)), make("pre", { textContent: commands }));
  return parts;
}

function copier(commands) {
  const press = make("button", { type: "button", className: "copy", textContent: "copy" });
  press.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(commands);
      press.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(press.parentElement.nextElementSibling);
      press.textContent = "selected";
    }
  });
  return press;
}

function reveal(row) {
  const { sheet, item } = placeOf.get(row);
  state.set = sheet.table.closest(".set").id;
  update();
  item.row.hidden = false;
  sheet.toggle(item, true);
  item.row.scrollIntoView({ block: "center" });
  item.more.focus({ preventScroll: true });
}
