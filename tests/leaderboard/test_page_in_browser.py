"""The page in a real browser: sorting, filters, search, keyboard, address, downloads, and what axe-core finds."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.lines import read_lines
from csist_bench.leaderboard.page import page_text
from tests.helpers.browser import axe_script, browser
from tests.helpers.rows import row

pytestmark = pytest.mark.long

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
NOISE_2 = "seqcsist-noise sigma=2"


BOARD = files.packaged("leaderboard") / "leaderboard.csv"
ROWS = len(standing(read_rows(BOARD))) + len(published_rows()) + 1  # the hostile one below
SETS = len({row.dataset for row in standing(read_rows(BOARD))})


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """The page of the committed leaderboard, with a hostile row."""
    folder = files.packaged("leaderboard")
    rows = standing(read_rows(folder / "leaderboard.csv"))
    hostile = row(method='=1+1,<b>"x"</b>', family="off-grid", tier="submitted", cso_map=1.0, note="a_b 5% & \\")
    text = page_text(board([*rows, hostile], published_rows(), lines=read_lines(folder)))
    page = tmp_path_factory.mktemp("page") / "index.html"
    page.write_text(text, encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def visit(chromium, address):
    """Open the page; whatever is said on the console, and every request, fails the test."""
    said: list[str] = []
    contexts = []

    def opened(fragment: str = "", at: str = address, **about: Any) -> Any:
        contexts.append(chromium.new_context(**{"viewport": WIDE, **about}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(request.url) if not request.url.startswith(at) else None)
        page.goto(at + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def column(page, title, table=".set:not([hidden]) table"):
    """The texts of the shown cells of a column, top to bottom."""
    heads = page.locator(f"{table} thead th").all_text_contents()
    place = heads.index(title) + 1
    rows = f"{table} tbody tr:not(.tier):not(.detail):not([hidden])"
    return page.locator(f"{rows} > :nth-child({place})").all_inner_texts()


def natural(name):
    """The order of names: part by part, numbers by their value."""
    return [(0, int(p)) if p.isdigit() else (1, p.lower()) for part in name.split(", ") for p in (*part.split(), " ")]


def numbers(texts):
    return [float(text.replace(",", "")) for text in texts if text != "–"]


def test_the_overview_comes_first_and_one_data_set_after_it(visit):
    page = visit()
    assert page.locator("#matrix").is_visible()
    assert page.locator(".set:not([hidden])").count() == 1
    assert page.locator("#count").inner_text() == f"{ROWS} of {ROWS} rows"
    means = page.locator('#matrix tbody[data-tier="D"] tr:not(.tier) > :nth-child(2)').all_inner_texts()
    stand = [text for text in means if text[0].isdigit()]
    assert numbers(stand) == sorted(numbers(stand), reverse=True)
    assert means[len(stand)] == "noise 0 only"


def test_a_column_is_sorted_by_mouse_and_by_keyboard_with_gaps_last(visit):
    page = visit()
    page.select_option("#set", label=NOISE_2)
    head = page.locator(".set:not([hidden]) thead button", has_text="AP05")
    head.click()
    found = numbers(column(page, "AP05"))
    assert found == sorted(found, reverse=True)
    assert page.locator(".set:not([hidden]) th[aria-sort]").get_attribute("aria-sort") == "descending"
    head.focus()
    page.keyboard.press("Enter")
    found = numbers(column(page, "AP05"))
    assert found == sorted(found)
    page.locator(".set:not([hidden]) thead button", has_text="Frames/s").click()
    rates = column(page, "Frames/s")
    assert rates[-1] == "–"
    assert numbers(rates) == sorted(numbers(rates), reverse=True)
    page.locator(".set:not([hidden]) thead button", has_text="Method").click()
    names = page.locator(".set:not([hidden]) .more").all_inner_texts()
    assert names[0] == "DeRefNet"
    assert names == sorted(names, key=natural)


def test_numbers_with_multiples_are_sorted_as_numbers(visit):
    page = visit("#sort-set=Parameters:down")
    texts = [text for text in column(page, "Parameters") if text != "–"]
    sizes = [float(t.split()[0]) * {"K": 1e3, "M": 1e6}[t.split()[1]] if " " in t else float(t) for t in texts]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1e7


def test_the_overview_is_sorted_within_its_sections_or_as_one(visit):
    page = visit()
    page.locator("#matrix thead button", has_text="Noise 5").click()
    tiers = page.locator("#matrix tbody").evaluate_all("bodies => bodies.map((body) => body.rows[0].classList.value)")
    assert set(tiers) == {"tier"}
    page.uncheck("#grouped")
    assert page.locator("#matrix tr.tier:visible").count() == 0
    scores = [float(text.split()[0]) for text in column(page, "Noise 5", "#matrix") if text != "–"]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 15
    assert page.locator("#matrix .told").first.is_visible()
    page.check("#grouped")
    assert page.locator("#matrix tr.tier:visible").count() == len(tiers)


def test_search_and_filters_narrow_tables_overview_and_charts(visit):
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("derefnet polish")
    names = column(page, "Method")
    assert names
    assert all(name.startswith("DeRefNet") for name in names)
    assert set(column(page, "Decoder")) == {"polish"}
    assert all(name.startswith("DeRefNet") for name in column(page, "Method", "#matrix"))
    assert 0 < page.locator(".set:not([hidden]) circle:visible").count() <= 2 * len(names)
    page.fill("#q", "")
    page.locator('.chip:has(input[value="published"])').click()
    assert page.locator("tr.published:visible").count() == 0
    assert page.locator("circle:visible").count() > 0
    assert page.locator(".published circle:visible").count() == 0
    page.locator('.chip:has(input[value="D"])').click()
    assert page.locator('#matrix tbody[data-tier="D"] tr:visible').count() == 0
    assert "D" not in column(page, "Knows")
    page.fill("#q", "no such method")
    assert page.locator("#count").inner_text() == f"0 of {ROWS} rows"
    page.click("#reset")
    assert page.locator("#count").inner_text() == f"{ROWS} of {ROWS} rows"
    assert page.locator("#q").input_value() == ""


def test_what_is_chosen_stands_in_the_address_and_comes_back_with_it(visit, address):
    page = visit()
    page.select_option("#set", label=NOISE_2)
    page.fill("#q", "net")
    page.locator('.chip:has(input[value="traditional"])').click()
    page.locator(".set:not([hidden]) thead button", has_text="AP10").click()
    page.locator("#set-tools .columns summary").click()
    page.locator("#set-tools .menu label", has_text="AP20").click()
    page.locator("#set-tools .menu label", has_text="MACs").click()
    page.keyboard.press("Escape")
    assert not page.locator("#set-tools .menu").is_visible()
    page.uncheck("#grouped")
    page.locator(".set:not([hidden]) .more").nth(2).click()
    seen = page.locator(".set:not([hidden]) table").inner_text()
    again = visit(page.url.removeprefix(address))
    assert again.locator("#set").evaluate("select => select.selectedOptions[0].text") == NOISE_2
    assert again.locator("#q").input_value() == "net"
    assert not again.locator('input[value="traditional"]').is_checked()
    assert not again.locator("#grouped").is_checked()
    assert again.locator("tr.detail").count() == 1
    assert again.locator(".set:not([hidden]) table").inner_text() == seen
    assert "AP20" not in seen.split("\n")[0]
    assert "MACs" in seen.split("\n", 1)[0] + seen.split("\n", 2)[1]


@pytest.mark.parametrize(
    "fragment", ["#set=nowhere&q=%3Cb%3E&sort-set=x:up&hide=,&row=zz&no-knows=Q", "#nowhere", "#=&=", "#%"]
)
def test_an_address_that_means_nothing_shows_the_page(visit, fragment):
    page = visit(fragment)
    assert page.locator("#matrix").is_visible()
    assert page.locator(".set:not([hidden])").count() == 1


def test_a_link_leads_to_its_table_and_keeps_what_is_chosen(visit):
    page = visit()
    page.fill("#q", "ml")
    page.locator("nav a", has_text=NOISE_2).click()
    assert page.locator(".set:not([hidden])").get_attribute("data-name") == NOISE_2
    assert page.locator("#q").input_value() == "ml"
    page.locator("nav a", has_text="Reading").click()
    assert page.locator("#q").input_value() == "ml"


def test_details_are_a_row_across_the_table_with_links_and_the_command(visit):
    page = visit("#q=offgrid-net%2C+20+polish")
    page.select_option("#set", label=NOISE_2)
    more = page.locator(".set:not([hidden]) tr:not([hidden]) .more").first
    more.focus()
    page.keyboard.press("Enter")
    assert more.get_attribute("aria-expanded") == "true"
    detail = page.locator(".set:not([hidden]) tr.detail")
    assert detail.locator("td").count() == 1
    wide = detail.bounding_box()["width"]
    assert wide == pytest.approx(page.locator(".set:not([hidden]) thead tr").bounding_box()["width"], abs=1)
    assert (
        detail.locator("a", has_text="offgrid-net-20.toml").get_attribute("href")
        == "../recipes/methods/offgrid-net-20.toml"
    )
    command = "csist-bench run offgrid-net --weights offgrid-net-20 --decoder polish --data set.zarr --out preds.json"
    assert command in detail.locator("pre").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("tr.detail").count() == 0


def test_details_of_the_overview_lead_to_the_rows(visit):
    page = visit("#q=derefnet")
    page.locator("#matrix tr:not([hidden]) .more").first.click()
    detail = page.locator("#matrix tr.detail")
    assert "polish" in detail.inner_text()
    assert "grid" in detail.inner_text()
    assert detail.locator('a[href="https://arxiv.org/abs/2507.09556"]').count() == 1
    detail.locator("button", has_text="grid").nth(1).click()
    assert page.locator(".set:not([hidden])").get_attribute("data-name") == NOISE_2
    assert page.locator(".set:not([hidden]) tr.detail").is_visible()


def test_every_point_is_named_by_hover_and_by_keyboard(visit):
    page = visit()
    points = page.locator(".set:not([hidden]) circle")
    assert points.count() > 150
    said = points.evaluate_all("all => all.map((point) => point.getAttribute('aria-label'))")
    assert all(text and "frames/s" in text and "parameters" in text for text in said)
    figure = page.locator(".set:not([hidden]) figure").first
    figure.locator("circle").nth(5).hover(force=True)
    tip = figure.locator(".tip")
    assert tip.is_visible()
    assert tip.inner_text() in said
    stops = figure.locator('circle[tabindex="0"]')
    assert stops.count() == 1
    stops.focus()
    first = tip.inner_text()
    seen = {first}
    for _ in range(figure.locator("circle").count() - 1):
        page.keyboard.press("ArrowRight")
        seen.add(page.evaluate("document.activeElement.ariaLabel"))
        assert tip.inner_text() == page.evaluate("document.activeElement.ariaLabel")
    assert seen == set(figure.locator("circle").evaluate_all("all => all.map((point) => point.ariaLabel)"))
    page.keyboard.press("Home")
    assert tip.inner_text() == first
    page.keyboard.press("Enter")
    assert page.locator(".set:not([hidden]) tr.detail").count() == 1
    assert page.evaluate("document.activeElement.className") == "more"


def test_a_line_against_noise_stands_out_with_its_name(visit):
    page = visit()
    figure = page.locator("figure.noise")
    point = figure.locator('circle[aria-label^="ML, brightness free, own: 19.93"]')
    point.hover(force=True)
    line = point.get_attribute("data-line")
    marked = figure.locator(".at")
    assert {marked.nth(n).get_attribute("data-line") for n in range(marked.count())} == {line}
    name = figure.locator("text.at").text_content().removesuffix(" †")
    assert figure.locator(".tip").inner_text().startswith(name)
    page.fill("#q", "derefnet")
    names = figure.locator("text.name:visible").all_text_contents()
    assert names == ["DeRefNet, falling labels †", "DeRefNet, published"]


def test_a_first_tap_names_a_point_and_a_second_leads_to_its_row(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    point = page.locator('.noise circle[aria-label^="ML, brightness free, own: 39.77"]')
    point.tap(force=True)
    assert page.locator(".noise .tip").inner_text().startswith("ML, brightness free, own: 39.77")
    assert page.locator("tr.detail").count() == 0
    point.tap(force=True)
    assert page.locator(".set:not([hidden])").get_attribute("data-name") == NOISE_2
    assert page.locator("tr.detail").count() == 1


def written(folder, *rows) -> str:
    page = folder / "index.html"
    page.write_text(page_text(board(rows, ())), encoding="utf-8")
    return page.as_uri()


def test_a_board_of_other_sets_and_one_without_rows_work(visit, tmp_path):
    page = visit(at=written(tmp_path, row(dataset="mine"), row(dataset="mine", method="Net", cso_map=1.0)))
    assert page.locator("#matrix").count() == 0
    page.locator(".set thead button", has_text="AP05").click()
    page.fill("#q", "net")
    assert column(page, "Method") == ["Net"]
    page.locator(".more:visible").click()
    assert page.locator("tr.detail").is_visible()
    page = visit(at=written(tmp_path))
    assert page.locator("#count").inner_text() == "0 of 0 rows"


def test_no_text_of_a_row_becomes_markup(visit, tmp_path):
    evil = '<img src=x onerror=alert(1)><b id="matrix">'
    one = row(method=evil, note=evil, settings=evil, hardware=evil, tier="submitted", dataset=evil)
    page = visit(at=written(tmp_path, one, row(method="Net", dataset=evil)))
    page.locator(".set .more").last.click()
    page.locator(".set circle").first.focus()
    assert evil in page.locator("tr.detail").inner_text()
    assert page.locator("img").count() == page.locator("b[id]").count() == 0
    page.fill("#q", "<img")
    assert len(column(page, "Method")) == 2  # the name of the data set is searched, too


def saved(page, button) -> str:
    with page.expect_download() as download:
        button.click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_csv_is_the_table_as_it_is_shown(visit):
    page = visit()
    page.select_option("#set", label="seqcsist")
    table = list(csv.reader(io.StringIO(saved(page, page.locator("#set-tools [data-save=csv]")))))
    assert table[0][:2] == ["Method", "CSO-mAP"]
    assert len(table) == 1 + len(column(page, "Method"))
    assert {len(line) for line in table} == {len(table[0])}
    assert '\'=1+1,<b>"x"</b> submitted' in [line[0] for line in table]  # no formula in a spreadsheet
    assert "–" not in {cell for line in table for cell in line}
    page.fill("#q", "bid")
    few = list(csv.reader(io.StringIO(saved(page, page.locator("#matrix-tools [data-save=csv]")))))
    assert few[0][:5] == ["Method", "Knows", "Mean", "Noise 0", "Noise 0 decoder"]
    assert few[1][:7] == ["BID", "A", "", "20.11", "grid", "", ""]
    assert few[2][:7] == ["BID published", "A", "", "14.40", "paper", "", ""]
    assert len(few) == 3


def test_latex_is_a_booktabs_table_without_raw_signs(visit):
    page = visit("#q=%3D1%2B1&show=Tier")
    text = saved(page, page.locator("#set-tools [data-save=latex]"))
    assert "\\begin{tabular}{lrrrrrll" in text
    assert "\\toprule" in text
    assert text.count("\\\\\n") == 2
    assert '=1+1,\\textless{}b\\textgreater{}"x"\\textless{}/b\\textgreater{} submitted & 1.00 &' in text
    heads = text.split("\\toprule\n")[1].split("\n")[0]
    assert "95 \\%" in heads
    assert text.split("\\midrule\n")[1].count("&") == heads.count("&")
    page.fill("#q", "ml")
    overview = saved(page, page.locator("#matrix-tools [data-save=latex]"))
    assert "\\begin{tabular}{lrrrrrr}" in overview
    assert overview.count("\\multicolumn{7}{l}{\\emph{Knows ") == overview.count("\\midrule") == 3
    assert "ML & 68.36 & 100.00 own & 61.91 own & 43.17 own &" in overview


AXE = "async (scheme) => (await axe.run(document, { resultTypes: ['violations'] })).violations"
SERIOUS = ("serious", "critical")


def violations(page) -> list[str]:
    page.evaluate(axe_script())
    found = page.evaluate(AXE)
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_serious(visit, scheme, viewport):
    page = visit(f"#set={NOISE_2.replace(' ', '+').replace('=', '%3D')}", viewport=viewport, color_scheme=scheme)
    page.locator("#matrix .more").nth(1).click()
    page.locator(".set:not([hidden]) .more").nth(1).click()
    page.locator("#set-tools .columns summary").click()
    assert violations(page) == []


def test_axe_sees_what_is_wrong(visit):
    page = visit()
    page.evaluate("() => { const q = document.querySelector('#q'); q.previousSibling.remove(); q.placeholder = ''; }")
    assert any("label" in found for found in violations(page))


def test_a_phone_shows_method_and_score_first_and_nothing_is_wider_than_the_screen(visit):
    page = visit(viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for table in ("#matrix", ".set:not([hidden]) table"):
        heads = page.locator(f"{table} thead th")
        for place in (0, 1):
            box = heads.nth(place).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"]
    assert not page.locator(".chip").first.is_visible()
    page.locator(".filters summary").click()
    assert page.locator(".chip").first.is_visible()


def test_without_javascript_every_table_and_chart_is_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".set").count() == page.locator(".set:visible").count() == SETS
    assert page.locator("#matrix").is_visible()
    assert page.locator(".controls").is_hidden()
    assert page.locator(".toolbar:visible").count() == 0
    assert page.locator("circle title").count() == page.locator("circle").count() > 400
    assert page.locator("#methods code", has_text="csist-bench run ml-seq").first.is_visible()


def test_print_leaves_out_controls_and_is_black_on_white_in_a_dark_system(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".controls").is_hidden()
    assert page.locator(".toolbar:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('#matrix td')).color") == "rgb(27, 32, 37)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
