"""The site of these pages. From the root of a checkout: sphinx-build -W -n -c docs . build/site

Sources are the Markdown pages as they stand, so that a link that works on GitHub works here. The table of contents is
`docs/index.md`: its headings are the parts, the links of its lists are the pages.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

import csist_bench

ROOT = Path(__file__).resolve().parents[1]
INDEX, BOARD = "docs/index", "leaderboard/index.html"

project = "csist-bench"
author = "csist-bench developers"
version = release = csist_bench.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_click"]

root_doc = INDEX
include_patterns = ["docs/*.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "leaderboard/README.md"]
exclude_patterns = [".*", "build", "csist_bench", "data", "dist", "recipes", "runs", "tests", "venv", "**/__pycache__"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

default_role = "code"
smartquotes = False  # --out is no dash
autodoc_typehints = "none"  # docstrings tell types, shapes and units
numpydoc_show_class_members = False
# Types of other libraries and words of numpydoc are no names of this package.
nitpick_ignore_regex = [("py:.*", r"(?!csist_bench).*")]

html_theme = "furo"
html_title = f"csist-bench {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"


# What the theme leaves out for readers who do not see a page, or have no mouse to scroll a wide table.
FOR_ALL_READERS = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="This page">',
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper ': '<div tabindex="0" class="table-wrapper ',
    '<th class="head"><p></p></th>': "<td></td>",
}


def contents(text: str) -> list[tuple[str, list[str]]]:
    """Return the parts of the index: heading and the entries of its list, as a toctree has them."""
    parts = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        listed = re.findall(r"^- \[([^]]*)\]\(([^)#]+)\.md\)", part, flags=re.MULTILINE)
        parts.append((heading, [f"{title} </{posixpath.normpath(f'docs/{page}')}>" for title, page in listed]))
    return [part for part in parts if part[1]]


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Give the index the table of contents that its lists are."""
    if page != INDEX:
        return
    for heading, pages in contents(source[0]):
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n" + "\n".join(pages) + "\n```\n"


def link_board(app: Sphinx, doctree: nodes.document) -> None:
    """Link to the leaderboard's page where it will stand, as a page and not as a file to load down."""
    for node in list(doctree.findall(addnodes.download_reference)):
        if node["reftarget"].endswith("index.html"):
            place = os.path.relpath(BOARD, Path(app.env.docname).parent)
            node.replace_self(nodes.reference("", "", *node.children, refuri=place, internal=True))


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Put the leaderboard's page beside its table, with the recipes it names, and a way to the index at the root."""
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in app.env.found_docs:
        path = out / f"{page}.html"
        text = path.read_text(encoding="utf-8")
        for left, right in FOR_ALL_READERS.items():
            text = text.replace(left, right)
        path.write_text(text, encoding="utf-8")
    for page in (Path(BOARD), Path(BOARD).with_name("leaderboard.csv")):
        shutil.copyfile(ROOT / page, out / page)
    shutil.copytree(ROOT / "recipes", out / "recipes", dirs_exist_ok=True)
    way = '<!doctype html><html lang="en"><meta charset="utf-8"><title>csist-bench</title>'
    way += f'<meta http-equiv="refresh" content="0; url={INDEX}.html"><a href="{INDEX}.html">csist-bench</a></html>\n'
    (out / "index.html").write_text(way, encoding="utf-8")


def skip(translator: SphinxTranslator, node: nodes.Element) -> None:
    """Leave a node that is written already."""


def mathml(translator: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers draw by themselves: no script, no font from elsewhere."""
    block = isinstance(node, nodes.math_block)
    text = latex2mathml.tex2mathml(node.astext(), as_block=block)
    translator.body.append(f'<div class="math" tabindex="0">{text}</div>' if block else text)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what the pages need beside the extensions."""
    app.connect("source-read", add_contents)
    app.connect("doctree-read", link_board, priority=100)  # before files to load down are gathered
    app.connect("build-finished", finish)
    app.add_html_math_renderer("mathml", (mathml, skip), (mathml, skip))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
