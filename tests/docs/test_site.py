"""The site is built without a warning; every link and anchor leads somewhere, every public name is documented."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import csist_bench
import csist_bench.torch
from csist_bench.cli import COMMANDS
from csist_bench.methods import interface
from tests.helpers.browser import axe_script, browser
from tests.helpers.pages import ROOT
from tests.helpers.site import Links, broken_links, documented

pytestmark = pytest.mark.long

pytest.importorskip("sphinx", reason="the extra docs is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, from the pages as they stand."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-c", "docs", ".", str(out)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert not built.stderr
    return out


def test_every_link_and_anchor_leads_somewhere(site):
    assert broken_links(site) == []
    text = (site / "docs" / "index.html").read_text()
    assert len(Links(text).links) > 50


def test_a_link_to_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">b</a> <a href="#here">a</a></p>')
    assert broken_links(tmp_path) == ["a.html: b.html#there"]
    (tmp_path / "b.html").write_text('<img src="none.png">')
    assert sorted(broken_links(tmp_path)) == ["a.html: b.html#there", "b.html: none.png"]


def test_nothing_is_fetched_when_a_page_is_seen(site):
    for path in site.rglob("*.html"):
        fetched = re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(https?:[^"]+)"', path.read_text())
        assert fetched == [], path


def test_every_public_name_is_documented(site):
    known = documented(site / "objects.inv")
    own = inspect.getmembers(interface, lambda kind: getattr(kind, "__module__", "") == interface.__name__)
    methods = [name for name, _ in own]
    assert len(methods) >= 3
    public = {
        "csist_bench": csist_bench.__all__,
        "csist_bench.torch": csist_bench.torch.__all__,
        "csist_bench.methods.interface": methods,
    }
    names = {f"{module}.{name}" for module, listed in public.items() for name in listed}
    assert names - known == set(), "add it to docs/api.md"


def test_every_command_is_documented(site):
    text = (site / "docs" / "command-line.html").read_text()
    for name in COMMANDS:
        assert f'id="csist-bench-{name}"' in text, name
    assert "--false-alarms" in text


def test_formulas_are_drawn_by_the_browser(site):
    text = (site / "docs" / "protocol.html").read_text()
    assert "<math" in text
    assert "MathJax" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_main_pages_fit_a_phone_and_are_for_everybody(site, scheme):
    with browser() as running:
        for name in ("docs/index", "docs/api", "docs/results", "docs/conventions"):
            for width in (1400, 390):
                context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page, said = context.new_page(), []
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                page.on("request", lambda request, said=said: said.append(request.url))
                page.goto((site / f"{name}.html").as_uri())
                assert page.evaluate("document.documentElement.scrollWidth") <= width, name
                if width == 390 and name in ("docs/index", "docs/results"):  # axe takes its time
                    page.evaluate(axe_script())
                    found = page.evaluate("axe.run()")["violations"]
                    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name
                assert [url for url in said if not url.startswith(("file:", "data:"))] == []
                context.close()
