"""Charts and pages: what every later report builds on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import combinations

import pytest

from simulator.report import charts, colours, page
from simulator.report.charts import Axis, Band, Cells, Chart, Series, Table
from simulator.report.drawing import embed
from simulator.report.page import Page, Section

STYLES = (
    *("line", "dashed", "dotted", "thin", "points", "hollow", "squares", "triangles"),
    *("bars", "across", "area", "ranges"),
)


def chart(key: str = "one", **changed: object) -> Chart:
    series = tuple(Series(style, [1.0, 10.0], [2.0, 20.0], style, charts.BLUE) for style in STYLES)
    values: dict[str, object] = {"x": Axis("seconds", log=True), "y": Axis("tokens", log=True)}
    values |= {"series": series, "table": Table(("a", "b"), [("x", "1 < 2")])} | changed
    return Chart(key, "A title", "What it shows", **values)  # type: ignore[arg-type]  # the tests' own keywords


def rendered(*sections: Section) -> str:
    return page.render(Page("T & T", "sub", ("first",), sections, ("last",)))


def test_a_page_holds_its_charts_and_their_tables() -> None:
    text = rendered(Section("H", ("said",), (chart(),), (), ("noted",)))
    for part in ("T &amp; T", "<p>said</p>", "A title", "What it shows", "1 &lt; 2", "noted", "last"):
        assert part in text
    assert text.count("Bokeh") > 1
    assert "chart-data" in text
    assert 1e6 < len(text) < 5e6


def test_a_page_without_charts_has_no_library() -> None:
    text = rendered(Section("H", tables=(Table(("a",), [("b",)], title="Named"),)))
    assert len(text) < 20_000
    assert "<caption>Named</caption>" in text


def test_nothing_is_fetched() -> None:
    """Nor could it be: the page forbids the browser all but itself."""
    text = rendered(Section("H", charts=(chart(),)))
    assert "default-src 'none'" in text[: text.index("<style>")]
    assert "<link" not in text
    assert "<script src" not in text
    assert "@import" not in text


def test_charts_follow_the_page_between_light_dark_and_print() -> None:
    """Bokeh hands these values to the SVG untouched, as long as they hold no `rgb`, which it would parse."""
    style = (page.TEMPLATES / "page.css").read_text()
    variables = [line for line in style.splitlines() if line.strip().startswith("--bk-")]
    assert len(variables) > 5
    assert not any("rgb" in line for line in variables)
    assert "color-scheme: light dark" in style
    assert "@media print" in style


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_its_sign_in_the_legend(style: str) -> None:
    series = Series(style, [0.0], [1.0], style, charts.RED)
    text = rendered(Section("H", charts=(chart(series=(series,)),)))
    legend = text[text.index('class="legend"') : text.index("</ul>", text.index('class="legend"'))]
    assert charts.RED in legend
    assert f"</svg>\n{style}" in legend.replace("\n\n", "\n")


def test_charts_are_data_for_the_drawing_script() -> None:
    bars = Series("cost", [0.0, 1.0], [3.0, math.nan], "bars", charts.RED, bottom=[1.0, 1.0])
    dots = Series("dot", [0.0], [1 / 3], "points", charts.BLUE, ["</script>"], "left")
    made = chart(
        x=Axis("", categories=("short", "a long category")),
        y=Axis("$"),
        series=(bars, dots),
        bands=(Band("zone", 0.0, 0.5, charts.GREEN),),
        cells=Cells("%", [0.0, 1.0], [0.0, 1.0], [[None]], 0.0, 1.0, ("0", "1")),
    )
    found = embed([made])
    assert found is not None
    assert "<" not in found.data
    (drawn,) = json.loads(found.data)["charts"]
    assert drawn["x"]["categories"] == ["short", "a long category"]
    assert drawn["series"][0]["y"] == [3, None]
    assert drawn["series"][1]["y"] == [0.333333]
    assert drawn["cells"]["values"] == [[None]]
    assert not {"title", "summary", "table", "how"} & set(drawn)


def test_a_page_loads_no_python_of_the_chart_library() -> None:
    """It takes as long as a quarter of an hour of traffic."""
    code = (
        "import sys; from simulator.report.charts import *; from simulator.report.page import *; "
        "c = Chart('k', 't', 's', Axis('x'), Axis('y'), (), None); "
        "render(Page('t', 's', (), (Section('h', charts=(c,)),), ())); "
        "sys.exit(sorted({'bokeh', 'pandas', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (3.0, 8.0, (1, 2, 5, 10, 20, 50)),
        (1.0, 1000.0, (1, 10, 100, 1000)),
        (0.02, 0.3, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)),
    ],
)
def test_a_logarithmic_axis_has_round_labels(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert charts.log_ticks(low, high) == ticks


def test_colours_can_be_told_from_both_backgrounds() -> None:
    """A contrast of 3 : 1 or more (WCAG 2.2, non-text) on the page's white and near-black."""
    for colour in (
        charts.BLUE,
        charts.ORANGE,
        charts.GREEN,
        charts.RED,
        charts.PURPLE,
        charts.TEAL,
        charts.GREY,
    ):
        for background in ("#ffffff", "#12161b"):
            assert contrast(colour, background) >= 3, (colour, background)


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_long_names_leave_room_for_the_chart() -> None:
    assert charts.brief("short") == "short"
    assert charts.brief("a-scenario-with-a-long-name") == "a-scenario…long-name"
    assert len(charts.brief("x" * 99)) == charts.LONGEST


# Machado, Oliveira and Fernandes, IEEE TVCG 15 (6), 2009: linear RGB as seen without one kind of cones.
WITHOUT = {
    "red": (
        (0.1523, 1.0526, -0.2049),
        (0.1145, 0.7863, 0.0992),
        (-0.0039, -0.0481, 1.0520),
    ),
    "green": (
        (0.3673, 0.8606, -0.2280),
        (0.2801, 0.6725, 0.0474),
        (-0.0118, 0.0429, 0.9689),
    ),
    "blue": (
        (1.2555, -0.0767, -0.1788),
        (-0.0784, 0.9308, 0.1476),
        (0.0047, 0.6914, 0.3039),
    ),
}


@pytest.mark.parametrize("cones", WITHOUT)
def test_what_lies_side_by_side_differs_with_any_colour_vision(cones: str) -> None:
    """By 10 or more in CIE Lab (2.3 is just noticeable), or one is hatched."""
    looks = [(colour, hatched) for _, colour, hatched in colours.PARTS.values()]
    looks_alike = [(a, b) for a, b in combinations(looks, 2) if a[1] == b[1]]
    steps = combinations(((colour, False) for colour in colours.STEPS.values()), 2)
    designs = combinations(((colour, False) for colour in colours.DESIGNS), 2)
    for (one, _), (other, _) in [*looks_alike, *steps, *designs]:
        assert math.dist(lab(one, cones), lab(other, cones)) >= 10, (one, other)


def test_the_scale_of_colours_grows_lighter_throughout() -> None:
    values = [luminance(colour) for colour in charts.SCALE]
    assert values == sorted(values)


def lab(colour: str, cones: str) -> tuple[float, float, float]:
    """CIE Lab (D65) of a colour as seen without these cones."""
    linear = [
        (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4) for value in srgb(colour)
    ]
    seen = [max(0.0, sum(a * b for a, b in zip(row, linear, strict=True))) for row in WITHOUT[cones]]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    xyz = [
        sum(a * b for a, b in zip(row, seen, strict=True)) / w for row, w in zip(to_xyz, white, strict=True)
    ]
    x, y, z = (value ** (1 / 3) if value > 0.0088 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def srgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
