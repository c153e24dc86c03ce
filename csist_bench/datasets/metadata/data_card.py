"""The data card: a page of Markdown inside the folder of a set, for whoever finds it there."""

from __future__ import annotations

import json
from typing import Any

from csist_bench.datasets.folder_layouts import LAYOUTS
from csist_bench.datasets.metadata.facts import FORMS, Facts
from csist_bench.files.markdown import plain_markdown
from csist_bench.recipes import DataRecipe, stored_table

MARK = "<!-- written by csist-bench; a README.md without this line is left alone -->"
FOREIGN = "Nothing is known of how these scenes came about but what the pictures and annotations show."


def data_card(facts: Facts) -> str:
    """Return the card."""
    parts = [
        f"{MARK}\n\n# {plain_markdown(facts.title)}",
        plain_markdown(facts.description()),
        _recipe(facts),
        _splits(facts),
        _conventions(facts),
        _loading(facts),
        _rights(facts),
        _prints(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _prints(facts: Facts) -> str:
    told = f"Fingerprints: `{facts.fingerprint}`, `{facts.fingerprint_v2}`." if facts.fingerprint else "Not complete."
    return (
        f"{told} `croissant.json` (MLCommons Croissant) and `ro-crate-metadata.json` (RO-Crate) tell machines the same."
    )


def _recipe(facts: Facts) -> str:
    usual = stored_table(DataRecipe(name=facts.recipe.name))
    rows = [
        f"| `{name}` | {_plain(value)} |"
        for name, value in stored_table(facts.recipe).items()
        if value != usual.get(name) and name != "name"
    ]
    table = "\n".join(["| field | value |", "|---|---|", *rows]) if rows else "Every field has its default."
    heads = "Fields of the recipe that depart from the defaults of csist-bench:" if rows else ""
    if facts.imported is not None:
        read = ", ".join(plain_markdown(f"{name} {_said(value)}") for name, value in facts.imported.items())
        heads = "\n\n".join(part for part in (FOREIGN, f"Read with {read}." if read else "", heads) if part)
    return "\n\n".join(part for part in ("## Recipe", heads, table) if part)


def _said(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(value: Any) -> str:
    return plain_markdown(value) if isinstance(value, str) else json.dumps(value)


def _splits(facts: Facts) -> str:
    rows = [f"| {split} | {size:,} | {size * facts.recipe.frames:,} |" for split, size in facts.sizes.items()]
    scored = f"Scored: {facts.scored} of {facts.recipe.frames} frames of a trajectory (`{facts.recipe.scored_frames}`)."
    return "\n".join(["## Splits\n", "| split | trajectories | frames |", "|---|---:|---:|", *rows]) + f"\n\n{scored}"


def _conventions(facts: Facts) -> str:
    lines = [
        "## Units and coordinates",
        "Positions are (x, y) in px, x to the right and y down; pixel centres sit at whole numbers, so that pixel"
        " (0, 0) spans -0.5 to 0.5 px. Arrays are [row = y, column = x]. Frames and intensities are in grey levels; an"
        " intensity is the sum over all pixels.",
    ]
    if facts.form in LAYOUTS:
        scale = "64 grey values are one grey level" if facts.bits == 16 else "a grey value is a grey level, up to 255"
        lines.append(
            f"In the pictures {scale}. `csist-bench.json` tells how `xc` and `yc` are meant (`axes`, `origin`)."
        )
    return "\n\n".join(lines)


def _loading(facts: Facts) -> str:
    code = {
        "zarr": 'import csist_bench as cb\n\ndata = cb.open_dataset("PATH")\ndata.test.frames, data.test.target_xy',
        "parquet": 'import pandas\n\npandas.read_parquet("PATH/SPLIT-targets.parquet")',
    }.get(facts.form)
    said = f"The set is stored as {FORMS[facts.form]}."
    if code is None:
        command = f"csist-bench import --layout {facts.form} PATH set.zarr"
        return f"## Loading\n\n{said}\n\n```\n{command}\n```"
    more = " Any Zarr reader opens it." if facts.form == "zarr" else ""
    return f"## Loading\n\n{said}{more}\n\n```python\n{code}\n```"


def _rights(facts: Facts) -> str:
    told = f"{facts.recipe.license}." if facts.recipe.license else "None is told; ask whoever the files came from."
    page = f"\n\nPage: {facts.recipe.url}" if facts.recipe.url else ""
    cited = "\n".join(f"- {plain_markdown(text)}" for text in facts.citations) or "Nothing is known of what to cite."
    return f"## Licence\n\n{told}{page}\n\n## Citation\n\n{cited}"
