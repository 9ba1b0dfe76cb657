"""What a page needs to draw its charts as inline SVG, in the browser and without a network.

Only the scripts that come with Bokeh's Python package are used (1.4 MB), not the package itself: importing it
takes half a second, a quarter of what an hour of traffic takes to simulate. Colours of axes and text are CSS
variables that Bokeh hands to the SVG as they are, so that a chart follows the page between light, dark and
print without being drawn again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simulator.report.charts import SCALE, Chart

SCRIPTS = ("bokeh.min.js", "bokeh-api.min.js")
DIGITS = 6  # of a number: more than a screen can show
_HERE = Path(__file__).parent / "templates"
_KEPT_BY_PAGE = ("title", "summary", "table", "how")


@dataclass(frozen=True, slots=True)
class Embedded:
    """scripts: Bokeh's own; data: the charts, as JSON for a script element; drawing: what draws them."""

    scripts: tuple[str, ...]
    data: str
    drawing: str


def embed(charts: Sequence[Chart]) -> Embedded | None:
    """None where there is nothing to draw."""
    if not charts:
        return None
    document = {"scale": SCALE, "charts": [_plain(chart) for chart in charts]}
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    drawing = _HERE.joinpath("charts.js").read_text(encoding="utf-8")
    return Embedded(tuple(_script(name) for name in SCRIPTS), data.replace("<", "\\u003c"), drawing)


def _script(name: str) -> str:
    """From the installed package; finding a package does not import it."""
    spec = find_spec("bokeh")
    assert spec is not None and spec.submodule_search_locations, "bokeh is not installed"
    path = Path(spec.submodule_search_locations[0], "server", "static", "js", name)
    return path.read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """As JSON can hold it: numbers to what can be seen, not a number as None; without what is empty, and
    without what the page itself says of a chart."""
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    told = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in _KEPT_BY_PAGE}
    return {name: _plain(item) for name, item in told.items() if item not in (None, (), "")}


def _number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
