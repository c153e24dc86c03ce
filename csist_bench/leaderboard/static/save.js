// A table as a file: CSV or LaTeX.
const guarded = (cell) => (/^[=+\-@\t\r]/.test(cell) && !/^-?[\d.]+$/.test(cell) ? `'${cell}` : cell);
const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const csvLine = (cells) => cells.map((cell) => quoted(guarded(cell === "–" ? "" : cell))).join(",");

function csv({ heads, cells, knows }, overview) {
  if (!overview) return [heads, ...cells].map(csvLine).join("\n") + "\n";
  // The overview has what a method was told, and scores and decoders apart.
  const names = heads.slice(1).flatMap((head) => (head === "Mean" ? [head] : [head, `${head} decoder`]));
  const lines = cells.map(([name, ...scores], row) => {
    const apart = scores.flatMap((cell, column) => {
      const [, score = "", decoder = ""] = /^([\d.]+) ?(.*)$/.exec(cell) || [];
      return heads[column + 1] === "Mean" ? [score] : [score, decoder];
    });
    return [name, knows[row], ...apart];
  });
  return [["Method", "Knows", ...names], ...lines].map(csvLine).join("\n") + "\n";
}

const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "†": "$^\\dagger$", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}" };
const tex = (cell) => cell.replace(/[\\~^–†<>|&%$#_{}]/g, (sign) => special[sign] || `\\${sign}`);
const texLine = (cells) => `${cells.map(tex).join(" & ")} \\\\`;

function latex({ heads, cells, knows }, numeric, sections) {
  const lines = cells.flatMap((line, row) => {
    const begins = sections && knows[row] !== knows[row - 1];
    const heading = [...(row ? ["\\midrule"] : []), `\\multicolumn{${heads.length}}{l}{\\emph{Knows ${tex(knows[row])}}} \\\\`];
    return [...(begins ? heading : []), texLine(line)];
  });
  const spec = numeric.map((right) => (right ? "r" : "l")).join("");
  return ["% \\usepackage{booktabs}", `\\begin{tabular}{${spec}}`, "\\toprule", texLine(heads), "\\midrule", ...lines,
    "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

function save(sheet, kind) {
  const overview = sheet.kind === "matrix";
  const numeric = sheet.heads.filter((head) => !head.hidden).map((head) => head.classList.contains("number"));
  const content = kind === "csv" ? csv(sheet.shownCells(), overview) : latex(sheet.shownCells(), numeric, overview && !state.flat);
  const name = overview ? "overview" : sheet.table.closest(".set").dataset.name.replace(/[^\w.=-]+/g, "-");
  const link = make("a", { download: `${name}.${kind === "csv" ? "csv" : "tex"}` });
  link.href = URL.createObjectURL(new Blob([content], { type: kind === "csv" ? "text/csv" : "text/x-tex" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
