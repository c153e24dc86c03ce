"""A comparison in words and in tables: for a terminal, for Markdown, for LaTeX and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np

from csist_bench.conventions import AP_TITLES
from csist_bench.evaluation.comparison import Comparison, Contender, Difference, Pair, RightFrames
from csist_bench.files.latex import latex_text
from csist_bench.files.spreadsheets import guarded

FRAMES_LISTED = 8
_TITLES = ("CSO-mAP", *AP_TITLES)
_KINDS = {"targets": "number of targets", "separation": "separation", "snr": "signal to noise of the faintest target"}


def comparison_text(comparison: Comparison) -> str:
    """Return a comparison as lines for a terminal."""
    blocks = [[comparison.data] if comparison.data else [], _score_lines(comparison.contenders)]
    blocks += [_pair_lines(pair) for pair in comparison.pairs]
    blocks.append([f"Intervals (95 %) and p: {comparison.basis}."])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _score_lines(contenders: Sequence[Contender]) -> list[str]:
    width = max(len("method"), *(len(one.name) for one in contenders))
    head = f"{'method':{width}}  {'CSO-mAP':>8} {'95 %':>16}" + "".join(f"{title:>7}" for title in AP_TITLES)
    lines = [head + f"{'answers/frame':>15}"]
    for one in contenders:
        spread = f"{one.intervals[0][0]:.2f} to {one.intervals[0][1]:.2f}" if one.intervals else "-"
        aps = "".join(f"{ap:7.2f}" for ap in one.scores[1:])
        lines.append(f"{one.name:{width}}  {one.scores[0]:8.2f} {spread:>16}{aps}{_answers(one):>15}")
    return lines


def _answers(one: Contender) -> str:
    return "-" if one.answers_per_frame is None else f"{one.answers_per_frame:.2f}"


def _pair_lines(pair: Pair) -> list[str]:
    lines = [f"{pair.second} against {pair.first}", f"{'':28}{'frames':>8}{'change':>9}{'95 %':>19}{'p':>10}"]
    lines += [_line(title, "", item) for title, item in zip(_TITLES, pair.differences)]
    kind = ""
    for group in pair.groups:
        if group.kind != kind:
            kind = group.kind
            lines.append(f"CSO-mAP by {_KINDS[kind]}")
        lines.append(_line(f"  {group.label}", f"{group.frames:,}", group.difference))
    return lines + (_frame_lines(pair.frames, pair) if pair.frames else [])


def _line(label: str, frames: str, item: Difference) -> str:
    spread = "-" if np.isnan(item.low) else f"{item.low:+.2f} to {item.high:+.2f}"
    return f"{label:28}{frames:>8}{item.difference:+9.2f}{spread:>19}{p_text(item.p):>10}"


def p_text(p: float) -> str:
    """Return a p-value as it is written."""
    return "-" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _frame_lines(frames: RightFrames, pair: Pair) -> list[str]:
    lines = [
        "Frames that are right (as many answers as targets, each target hit within 0.25 px):"
        f" both {frames.both:,}, neither {frames.neither:,}"
    ]
    for name, places in ((pair.first, frames.only_first), (pair.second, frames.only_second)):
        shown = ", ".join(f"{t}:{f}" for t, f in places[:FRAMES_LISTED].tolist())
        more = " ..." if len(places) > FRAMES_LISTED else ""
        where = f" (trajectory:frame {shown}{more})" if len(places) else ""
        lines.append(f"  only {name}: {len(places):,}{where}")
    return lines


# --- tables ----------------------------------------------------------------------------------------------------------


def comparison_markdown(comparison: Comparison) -> str:
    """Return the scores as a Markdown table: best bold, second best underlined, published rows apart."""
    head = ["method", *_TITLES, "answers/frame", "change", "95 %", "p"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    marks = _marks(comparison, lambda text: f"**{text}**", lambda text: f"<u>{text}</u>")
    for one, cells in _rows(comparison, marks):
        name = one.name.replace("|", r"\|")
        lines.append(f"| {f'*{name}* (published)' if one.published else name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Changes are against {comparison.contenders[0].name}: {comparison.basis}.", ""])


def comparison_latex(comparison: Comparison) -> str:
    r"""Return the scores as a LaTeX table (\usepackage{booktabs}): best bold, second underlined, published apart."""
    marks = _marks(comparison, lambda text: rf"\textbf{{{text}}}", lambda text: rf"\underline{{{text}}}")
    head = ["Method", *_TITLES, "Answers/frame", "Change", r"95\,\%", "$p$"]
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
    ]
    published = False
    for one, cells in _rows(comparison, marks):
        if one.published and not published:
            lines += [r"\midrule", rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{Published figures}}}} \\"]
            published = True
        lines.append(" & ".join([latex_text(one.name), *map(_minus, cells)]) + r" \\")
    said = f"Changes are against {comparison.contenders[0].name}: {comparison.basis}."
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", f"% {said}", ""])


def _minus(cell: str) -> str:
    """Return a cell with true signs and a dash for what is not known."""
    if cell == "-":
        return "--"
    return cell.replace("<", "$<$") if cell[:1] not in "+-" else f"${cell.replace(' to ', '$ to $')}$"


def comparison_csv(comparison: Comparison) -> str:
    """Return the scores and differences as CSV, unrounded: one line a method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["cso_map", *(title.lower() for title in AP_TITLES)]
    more = ["answers_per_frame", "published", "change", "change_low", "change_high", "p"]
    writer.writerow(["method", *names, "cso_map_low", "cso_map_high", *more])
    for one, pair in zip(comparison.contenders, (None, *comparison.pairs)):
        change = [] if pair is None else [pair.main.difference, pair.main.low, pair.main.high, pair.main.p]
        cells = [*one.scores, *(one.intervals[0] if one.intervals else (None, None)), one.answers_per_frame]
        blank = ["" if value is None or value != value else value for value in (*cells, int(one.published), *change)]
        writer.writerow([guarded(one.name), *blank, *[""] * (4 - len(change))])
    return text.getvalue()


def _rows(comparison: Comparison, marks: list[list[str]]) -> list[tuple[Contender, list[str]]]:
    """Return every method with its cells, measured ones first."""
    rows = []
    for one, scores, pair in zip(comparison.contenders, marks, (None, *comparison.pairs)):
        if pair is None:
            change = ["-", "-", "-"]
        else:
            spread = "-" if np.isnan(pair.main.low) else f"{pair.main.low:+.2f} to {pair.main.high:+.2f}"
            change = [f"{pair.main.difference:+.2f}", spread, p_text(pair.main.p)]
        rows.append((one, [*scores, _answers(one), *change]))
    return sorted(rows, key=lambda row: row[0].published)


def _marks(comparison: Comparison, best: Callable[[str], str], second: Callable[[str], str]) -> list[list[str]]:
    """Return the scores as text; in each column the best is marked, and the second best, by what is shown."""
    texts = [[f"{value:.2f}" for value in one.scores] for one in comparison.contenders]
    for column in range(len(_TITLES)):
        shown = sorted({float(row[column]) for row in texts}, reverse=True)
        for row in texts:
            place = shown.index(float(row[column]))
            row[column] = best(row[column]) if place == 0 else second(row[column]) if place == 1 else row[column]
    return texts
