"""One self-contained HTML page: text, charts with their tables, no network; light, dark and print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.report.charts import SCALE, Chart, Table
from simulator.report.drawing import embed

FILE = "report.html"
"""In the folder of a run or a comparison."""

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure in words: what it is, its value, how sure it is or why it is so."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, charts, a list, then tables that have no chart; small print below."""

    heading: str
    text: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    items: tuple[Tile, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """verdicts: the sentences that come first; tone: "good" or "bad" where they judge; tiles: the figures
    behind them; glossary: what the names of figures mean."""

    title: str
    subtitle: str
    verdicts: tuple[str, ...]
    sections: tuple[Section, ...]
    footing: tuple[str, ...]
    tone: str = ""
    tiles: tuple[Tile, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=dict)


def render(page: Page) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    embedded = embed([chart for section in page.sections for chart in section.charts])
    return environment.get_template("page.html").render(page=page, embedded=embedded, scale=SCALE)
