"""Charts as inline SVG that Bokeh draws in the browser, for every page of the product.

Colours of axes and text are CSS variables that Bokeh hands to the SVG as they are, so that a chart follows
the page between light, dark and print without being drawn again. Each chart comes with its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.plotting import figure

BLUE, ORANGE, GREEN, RED, PURPLE, TEAL, GREY = (
    "#3b7dc4",
    "#c46a16",
    "#2f8f56",
    "#c8473f",
    "#9068d0",
    "#1f8c93",
    "#808892",
)
LINES = {"line": "solid", "dashed": "dashed", "dotted": "dotted", "thin": "solid"}
MARKERS = {"points": "circle", "hollow": "circle", "squares": "square", "triangles": "triangle"}
HEIGHT = 400
SHORT = 6  # letters of a category that stands upright


@dataclass(frozen=True, slots=True)
class Axis:
    """ticks: where, () for automatic; categories: names at 0, 1, … instead of numbers; padding: free space
    beside the data, as a share of it."""

    label: str
    log: bool = False
    ticks: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    padding: float = 0.1


@dataclass(frozen=True, slots=True)
class Series:
    """style: line, dashed, dotted, thin; points, hollow, squares, triangles; bars (x: left edges shift by
    `offset`, `width` wide, from `bottom`). names: a text at each point, shown to the left or right of it if
    `labelled` says so."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str
    colour: str
    names: Sequence[str] = ()
    labelled: str = ""
    offset: float = 0.0
    width: float = 0.8
    bottom: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the x axis, lightly coloured."""

    name: str
    first: float
    last: float
    colour: str


@dataclass(frozen=True, slots=True)
class Table:
    """Figures already formatted; the first column names a row. left: columns that hold text; title: over a
    table that has no chart."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: tuple[int, ...] = (0,)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """key: unique on its page; summary: what the chart shows, for those who cannot see it; table: its
    figures, None if they are in the table of the chart before."""

    key: str
    title: str
    summary: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    table: Table | None
    bands: tuple[Band, ...] = ()
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Embedded:
    """library: Bokeh's own script; script: what draws this page's charts; divs: where, by chart key."""

    library: str
    script: str
    divs: dict[str, str] = field(default_factory=dict)


def embed(charts: Sequence[Chart]) -> Embedded:
    """Everything that a page needs to show the charts without a network."""
    if not charts:
        return Embedded("", "")
    from bokeh.embed import components
    from bokeh.resources import Resources

    script, divs = components({chart.key: _figure(chart) for chart in charts})
    return Embedded(Resources("inline", components=["bokeh"]).render_js(), script, dict(divs))


def _figure(chart: Chart) -> figure:
    from bokeh.models import DataRange1d, HoverTool
    from bokeh.plotting import figure

    plot = figure(
        height=chart.height,
        x_range=DataRange1d(range_padding=chart.x.padding),
        y_range=DataRange1d(range_padding=chart.y.padding),
        sizing_mode="stretch_width",
        x_axis_type="log" if chart.x.log else "linear",
        y_axis_type="log" if chart.y.log else "linear",
        x_axis_label=chart.x.label,
        y_axis_label=chart.y.label,
        output_backend="svg",
        toolbar_location=None,
        tools="",
    )
    for band in chart.bands:
        _band(plot, band)
    for series in chart.series:
        _draw(plot, series)
    _ticks(plot.xaxis[0], chart.x)
    _ticks(plot.yaxis[0], chart.y)
    tips = [("", "@name"), (chart.x.label, "@x{0,0.[00]}"), (chart.y.label, "@y{0,0.[00]}")]
    plot.add_tools(HoverTool(tooltips=tips[:1] + tips[2:] if chart.x.categories else tips))
    return plot


def _band(plot: Any, band: Band) -> None:
    from bokeh.models.annotations import BoxAnnotation

    plot.add_layout(
        BoxAnnotation(
            left=band.first, right=band.last, fill_color=band.colour, fill_alpha=0.1, line_color=None
        )
    )


def _draw(plot: Any, series: Series) -> None:
    from bokeh.models import ColumnDataSource

    names = list(series.names) or [series.name] * len(series.x)
    data: dict[str, Any] = {"x": list(series.x), "y": list(series.y), "name": names}
    if series.style == "bars":
        data["at"] = [x + series.offset for x in series.x]
        data["bottom"] = list(series.bottom) or [0.0] * len(series.x)
        data["top"] = [low + y for low, y in zip(data["bottom"], series.y)]
    source = ColumnDataSource(data)
    if series.style in LINES:
        width = 1 if series.style == "thin" else 2
        plot.line(
            "x", "y", source=source, color=series.colour, line_dash=LINES[series.style], line_width=width
        )
    elif series.style in MARKERS:
        fill = None if series.style == "hollow" else series.colour
        marker = MARKERS[series.style]
        plot.scatter(
            "x", "y", source=source, marker=marker, size=9, line_color=series.colour, fill_color=fill
        )
    else:
        plot.vbar("at", top="top", bottom="bottom", width=series.width, source=source, color=series.colour)
    if series.labelled:
        left = series.labelled == "left"
        plot.text(
            "x",
            "y",
            "name",
            source=source,
            text_color=series.colour,
            text_font_size="12px",
            text_align="right" if left else "left",
            x_offset=-8 if left else 8,
            y_offset=5,
        )


def _ticks(axis: Any, given: Axis) -> None:
    from bokeh.models import FixedTicker, NumeralTickFormatter

    if given.categories:
        axis.ticker = FixedTicker(ticks=list(range(len(given.categories))))
        axis.major_label_overrides = dict(enumerate(given.categories))
        axis.major_label_orientation = 0.6 if max(map(len, given.categories)) > SHORT else 0.0
        return
    if given.ticks:
        axis.ticker = FixedTicker(ticks=list(given.ticks))
    axis.formatter = NumeralTickFormatter(format="0,0.[000]")
