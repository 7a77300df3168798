"""The report in headless Chromium: what is seen, pointed at and reached by keys, and no request."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil

import pytest

from zoo.reports import write_report

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

HOSTILE = (
    "</script><script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=2"><svg onload="window.hit=3">',
    "\x1b[31mred\x1b[0m =cmd|' /C calc'!A0 \u05e9\u05dc\u05d5\u05dd \u202eabc",
)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with contextlib.closing(browser):
            yield browser


@pytest.fixture
def visit(browser):
    """Opens a report; requests are counted and blocked, errors of the page are failures."""
    contexts, errors = [], []

    def open_page(report, *, width=1400, dark=False, refusals=None, **more):
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.requested = []

        def route(way):
            page.requested.append(way.request.url)
            if way.request.url == report.path.as_uri():
                way.continue_()
            else:
                way.abort()

        context.route("**/*", route)
        page.on("pageerror", lambda error: errors.append(str(error)))
        told = errors if refusals is None else refusals
        page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
        page.goto(report.path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def report(class_run, rich, computed):
    return write_report([class_run(summary=rich)])


def tip(page):
    return page.locator("#tip").inner_text().replace("\u00a0", " ")


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window_and_every_figure_is_seen(report, visit, width):
    page = visit(report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawings = page.locator("svg.drawing")
    assert drawings.count() == 10
    for i in range(drawings.count()):
        box = drawings.nth(i).bounding_box()
        assert 280 <= box["width"] <= 620
        assert box["height"] > 50
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("width", [400, 1400])
def test_letters_of_figures_are_large_enough(report, visit, width):
    page = visit(report, width=width)
    least = page.evaluate(
        """Math.min(...[...document.querySelectorAll("svg.drawing")].map((svg) =>
           svg.getScreenCTM().a * parseFloat(getComputedStyle(svg).fontSize)))"""
    )
    assert least >= 9.0


def test_the_only_thing_requested_is_the_file_itself(report, visit):
    page = visit(report)
    page.locator("svg.map").first.hover()
    page.wait_for_timeout(100)
    assert page.requested == [report.path.as_uri()]


def test_light_and_dark_differ_and_both_have_contrast(report, visit):
    colours = []
    for dark in (False, True):
        page = visit(report, dark=dark)
        found = page.evaluate(
            """(() => { const of = (node, name) => getComputedStyle(node)[name];
               return [of(document.body, "backgroundColor"), of(document.body, "color"),
                       of(document.querySelector("figcaption p"), "color")]; })()"""
        )
        colours.append([luminance(text) for text in found])
    (light, ink, soft), (dark, pale, softer) = colours
    assert light > 0.9 > 0.1 > dark
    for paper, text, least in (
        (light, ink, 7),
        (light, soft, 4.5),
        (dark, pale, 7),
        (dark, softer, 4.5),
    ):
        assert contrast(paper, text) >= least


def luminance(colour):
    """Of WCAG 2, from ``rgb(r, g, b)``."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)


def test_pointing_at_a_cell_says_its_numbers(report, visit):
    page = visit(report)
    page.locator('#figure-confusion rect[data-tip^="fox predicted as cat"]').hover()
    assert tip(page) == "fox predicted as cat: 10 rows, 50.0 % of the class"
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()


def test_pointing_at_a_map_shows_the_sample_in_both_maps(report, visit):
    page = visit(report)
    drawing = page.locator('svg[data-map="map-0"]')
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    scale = box["width"] / 360
    # Ten columns and six rows, the first at the left and lowest, 14 units from the border.
    page.mouse.move(box["x"] + 14 * scale, box["y"] + (14 + 5 * 332 / 9) * scale)
    said = tip(page)
    assert "true cat, predicted cat (95.0 %)" in said
    assert "item 0/0" in said
    rings = page.locator("svg.map .ring")
    assert [rings.nth(i).get_attribute("visibility") for i in range(2)] == ["visible"] * 2


def test_arrow_keys_walk_through_a_figure_and_say_it_aloud(report, visit):
    page = visit(report)
    page.locator("#figure-confusion svg").focus()
    told = []
    for key in ("Home", "ArrowRight", "ArrowDown", "End", "Escape"):
        page.keyboard.press(key)
        told.append(page.locator("#said").inner_text().partition(":")[0])
    assert told[:4] == [
        "cat predicted as cat",
        "cat predicted as dog",
        "dog predicted as dog",
        "fox predicted as fox",
    ]
    assert page.locator("#tip").is_hidden()


def test_arrow_keys_walk_through_a_map(report, visit):
    page = visit(report)
    page.locator('svg[data-map="map-0"]').focus()
    names = []
    for key in ("Home", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        names.append(page.locator("#said").inner_text().split("; ")[-1])
    # The map is a grid of ten columns, the first row at the bottom.
    assert names == ["item 0/0", "item 0/1", "item 0/11", "item 0/10"]


def test_the_tabulator_key_reaches_every_figure_table_and_button(report, visit):
    page = visit(report)
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """(() => { const node = document.activeElement;
                   return node.closest("figure")?.id ?? node.dataset.key ?? node.tagName; })()"""
            )
        )
    figures = page.locator("figure")
    ids = {figures.nth(i).get_attribute("id") for i in range(figures.count())}
    assert ids | {"0", "1", "2", "A", "PRE"} <= reached


def test_a_group_can_be_stressed(report, visit):
    page = visit(report)
    button = page.get_by_role("button", name="dog")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    away = page.locator("g.away")
    assert {away.nth(i).get_attribute("data-group") for i in range(away.count())} == {"0", "2"}
    button.click()
    assert page.locator("g.away").count() == 0


def test_figures_and_tables_have_names_for_a_screen_reader(report, visit):
    page = visit(report)
    for node in page.locator("svg.drawing, [role=region], [role=group], section").all():
        label = node.get_attribute("aria-label") or node.get_attribute("aria-labelledby")
        assert label
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"


def test_numbers_behind_a_figure_open_by_keyboard(report, visit):
    page = visit(report)
    summary = page.locator("#figure-arms summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#figure-arms table").is_visible()
    assert "raw input" in page.locator("#figure-arms table").inner_text()


def test_hostile_names_run_nothing(class_run, rich, computed, visit):
    rich["verdict"]["advice"] = HOSTILE[0]
    rich["health"][0]["text"] = HOSTILE[1]
    run = class_run(HOSTILE, summary=rich, plan={"data": HOSTILE[1]})
    predictions = run.folder / "predictions.csv"
    predictions.write_text(predictions.read_text().replace("item 0/0", "y" * 10_000))
    report = write_report([run])
    page = visit(report, width=400)
    page.locator("svg.map").first.focus()
    for key in ("Home", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    page.locator("#figure-confusion rect[data-tip]").first.hover()
    assert "window.hit=1" in tip(page)
    assert page.evaluate("window.hit") is None
    assert page.locator("body img[src=x]").count() == 0
    assert page.requested == [report.path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_policy_holds_against_script_and_style_that_get_in(report, visit, tmp_path):
    html = report.path.read_text(encoding="utf-8")
    bad = '<script>window.hit=1</script><p onclick="window.hit=2" style="color:red" id="bad">x</p>'
    report.path.write_text(html.replace("</main>", bad + "</main>"), encoding="utf-8")
    refusals = []
    page = visit(report, refusals=refusals)
    page.locator("#bad").click()
    assert len([line for line in refusals if "Content Security Policy" in line]) == 3
    assert page.evaluate("window.hit") is None
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#bad')).color") != "rgb(255, 0, 0)"
    )


def test_paper_has_all_figures_and_no_controls(report, visit):
    page = visit(report, dark=True)
    page.emulate_media(media="print")
    assert page.locator("svg.drawing").first.is_visible()
    assert page.locator("nav").is_hidden()
    assert page.locator(".keys").first.is_visible()  # the legend of a map
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert luminance(paper) == pytest.approx(1.0)
    assert len(page.pdf()) > 10_000


def test_it_is_read_without_script(report, visit):
    page = visit(report, java_script_enabled=False)
    assert page.locator("h1").is_visible()
    page.locator("#figure-confusion summary").click()
    assert page.locator("#figure-confusion table").is_visible()
