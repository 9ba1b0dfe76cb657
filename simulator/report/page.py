"""One self-contained HTML page: text, charts with their tables, no network; light, dark and print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simulator.report.charts import Chart, Table, embed

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, charts, then tables that have no chart; small print below."""

    heading: str
    text: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """verdicts: the sentences that come first."""

    title: str
    subtitle: str
    verdicts: tuple[str, ...]
    sections: tuple[Section, ...]
    footing: tuple[str, ...]


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
    charts = embed([chart for section in page.sections for chart in section.charts])
    return environment.get_template("page.html").render(page=page, charts=charts)
