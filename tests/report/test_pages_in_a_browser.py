"""The pages in a real browser: all draws, nothing is fetched; small screens, keyboards, readers, paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, lacking, needed, opened
from comparisons import document
from run_pages import RUNS

from simulator import cli, errors
from simulator.report.comparison.html import html as comparison
from simulator.report.run.html import html
from simulator.report.run.source import of_run
from simulator.report.terminal import COLUMNS, LATENCIES, number, scaled
from simulator.results.summary import summarise

pytestmark = needed

PAGES = ("plain", "split", "saturated", "many_replicas", "comparison")
AXE = "tags => axe.run({exclude: [['.drawing > div']]}, {runOnly: tags})"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With every page, and the summaries of runs."""
    found = tmp_path_factory.mktemp("pages")
    for name in PAGES:
        if name == "comparison":
            text = comparison(document(0.01, 0.008))
        else:
            run = RUNS[name]()
            summary = summarise(run)
            text = html(of_run(run, summary))
            found.joinpath(f"{name}.json").write_text(json.dumps(summary))
        found.joinpath(f"{name}.html").write_text(text)
    return found


def test_why_there_is_a_browser() -> None:
    assert lacking() == ""


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_draws_and_nothing_is_fetched(browser: Any, folder: Path, name: str) -> None:
    with opened(browser, folder / f"{name}.html") as found:
        charts = found.page.locator(".drawing")
        assert charts.count() == found.page.locator("figure").count() > 5
        for index in range(charts.count()):
            chart = charts.nth(index)
            assert chart.locator("svg path").count() > 5
            assert chart.bounding_box()["width"] > 500
        assert found.complaints == []
        assert found.fetched == [folder.joinpath(f"{name}.html").as_uri()]


def test_the_roofline_page_draws_too(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "roofline.html"
    asked = [
        "roofline",
        "--model",
        "llama-3.1-8b",
        "--accelerator",
        "h100-sxm",
        "--html",
        str(page),
        "--quiet",
    ]
    assert cli.execute(asked) == errors.OK
    with opened(browser, page) as found:
        charts = found.page.locator(".drawing").all()
        assert len(charts) > 4
        assert all(chart.locator("svg path").count() > 5 for chart in charts)
        assert found.complaints == []
        assert found.fetched == [page.as_uri()]


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(browser: Any, folder: Path, name: str) -> None:
    with opened(browser, folder / f"{name}.html", width=360, bypass_csp=True) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert found.page.evaluate("document.documentElement.scrollWidth") == 360
        wide = "[...document.querySelectorAll('.drawing')].some(one => one.scrollWidth > one.clientWidth)"
        assert not found.page.evaluate(wide)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("split", "light"),
        ("comparison", "dark"),
        pytest.param("split", "dark", marks=pytest.mark.slow),
        pytest.param("comparison", "light", marks=pytest.mark.slow),
    ],
)
def test_accessibility(browser: Any, folder: Path, name: str, scheme: str) -> None:
    """By axe-core, everything unfolded. A drawing is one picture, its words and its table are beside it; of
    each table three rows, since axe takes a second for a hundred."""
    rules = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    script = Path(rules.__file__).with_name("axe.min.js").read_text()
    with opened(browser, folder / f"{name}.html", color_scheme=scheme, bypass_csp=True) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found.page.evaluate(
            "document.querySelectorAll('tbody tr:nth-child(n+4)').forEach(one => one.remove())"
        )
        found.page.evaluate(script)
        result = found.page.evaluate(AXE, list(RULES))
    assert len(result["passes"]) > 20
    told = [f"{one['id']}: {one['help']} {one['nodes'][0]['target']}" for one in result["violations"]]
    assert told == []


@pytest.mark.parametrize("name", ["plain", "split"])
def test_tables_say_what_the_summary_says(browser: Any, folder: Path, name: str) -> None:
    summary = json.loads(folder.joinpath(f"{name}.json").read_text())
    with opened(browser, folder / f"{name}.html") as found:
        table = found.page.locator("table", has_text="Statistics, each with its interval")
        rows = [row.locator("th, td").all_text_contents() for row in table.locator("tbody tr").all()]
        curve = found.page.locator("#cdf-itl-table tbody tr").all()
        cells = {row.locator("th").text_content(): row.locator("td").text_content() for row in curve}
    for (key, label), row in zip(LATENCIES.items(), rows, strict=True):
        metric = summary["metrics"][key]
        scale, unit = scaled(metric["p50"])
        assert row[0] == f"{label}, {unit}"
        assert [cell.partition(" [")[0] for cell in row[1:-1]] == [number(metric[c], scale) for c in COLUMNS]
        assert row[-1] == f"{metric['n']:,}"
    itl = summary["metrics"]["itl_s"]
    for p in ("p50", "p90", "p95", "p99"):
        assert cells[p] == number(itl[p], scaled(itl["p50"])[0])


def test_the_keyboard_reaches_and_unfolds_everything(browser: Any, folder: Path) -> None:
    with opened(browser, folder / "plain.html") as found:
        page = found.page
        page.keyboard.press("Tab")
        assert page.locator(":focus").get_attribute("class") == "skip"
        page.keyboard.press("Enter")
        assert page.locator(":focus").get_attribute("id") == "main"
        page.keyboard.press("Tab")
        assert page.locator(":focus").text_content().startswith("The figures as a table")
        page.keyboard.press("Enter")
        assert page.locator("details").first.get_attribute("open") is not None
        assert page.locator("details table").first.is_visible()


def test_paper_has_all_but_the_longest_tables_and_no_dark(browser: Any, folder: Path) -> None:
    with opened(browser, folder / "plain.html", color_scheme="dark", bypass_csp=True) as found:
        assert len(found.page.pdf(format="A4")) > 50_000
        unfolded = "[...document.querySelectorAll('details')].every(one => one.open != one.matches('.long'))"
        assert found.page.evaluate(unfolded)
        found.page.emulate_media(media="print")
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not found.page.locator("nav").is_visible()


def test_a_page_without_scripts_keeps_its_tables(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(folder.joinpath("plain.html").as_uri())
    assert "The charts need JavaScript" in page.locator("noscript").text_content()
    assert page.locator("details table").count() > 5
    context.close()
