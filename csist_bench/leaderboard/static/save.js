// A table as a file: CSV or LaTeX.
const guarded = (cell) => (/^[=+\-@\t\r]/.test(cell) && !/^-?[\d.]+$/.test(cell) ? `'${cell}` : cell);
const csv = (cells) => cells.map((line) => line.map((cell) => {
  const shown = guarded(cell === "–" ? "" : cell);
  return /[",\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}).join(",")).join("\n") + "\n";

const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "†": "$^\\dagger$" };
const tex = (cell) => cell.replace(/[\\~^–†&%$#_{}]/g, (sign) => special[sign] || `\\${sign}`);
function latex([heads, ...lines], numeric) {
  const spec = numeric.map((right) => (right ? "r" : "l")).join("");
  const line = (cells) => `${cells.map(tex).join(" & ")} \\\\`;
  return ["% \\usepackage{booktabs}", `\\begin{tabular}{${spec}}`, "\\toprule", line(heads), "\\midrule",
    ...lines.map(line), "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

function save(sheet, kind) {
  const cells = sheet.shownCells();
  const shown = sheet.heads.filter((head) => !head.hidden).map((head) => head.classList.contains("number"));
  const content = kind === "csv" ? csv(cells) : latex(cells, shown);
  const name = sheet.kind === "matrix" ? "overview" : sheet.table.closest(".set").dataset.name.replace(/[^\w.=-]+/g, "-");
  const link = make("a", { download: `${name}.${kind === "csv" ? "csv" : "tex"}` });
  link.href = URL.createObjectURL(new Blob([content], { type: kind === "csv" ? "text/csv" : "text/x-tex" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
