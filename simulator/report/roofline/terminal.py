"""The study on a screen or two of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simulator.report.charts import Table
from simulator.report.roofline import tables, words
from simulator.report.roofline.plot import Mark, draw
from simulator.study.roofline.hardware import Hardware
from simulator.study.roofline.roofs import Roof
from simulator.study.roofline.study import Answer
from simulator.study.roofline.zones import BENDING, NEAR_LINEAR, PLATEAU

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

COLOURS = {NEAR_LINEAR: "green", BENDING: "yellow", PLATEAU: "red"}
COLOURS |= dict.fromkeys((tables.TOO_SMALL, tables.TOO_LARGE, tables.CANNOT), "red")


def show(found: Answer, console: Console, brief: bool = False) -> None:
    """Prints the study; brief: its sentences alone."""
    _say(console, words.title(found), "bold")
    for line in words.verdicts(found):
        _say(console, line)
    if brief:
        return
    for heading, body, notes in _sections(found):
        _say(console, f"\n{heading}", "bold")
        console.print(_rich(body) if isinstance(body, Table) else body)
        for note in notes:
            _say(console, note, "dim")
    _say(console, "")
    for line in words.footing(found):
        _say(console, line, "dim")


def show_accelerators(rows: Sequence[tuple[Hardware, list[Roof]]], console: Console) -> None:
    """Roofs and prices alone."""
    console.print(_rich(tables.roofs(roof for _, roofs in rows for roof in roofs)))
    for note in words.on_roofs():
        _say(console, note, "dim")
    _say(console, "\nWhat a dollar an hour buys", "bold")
    console.print(_rich(tables.datasheets(row for row, _ in rows)))
    for note in words.on_prices([row for row, _ in rows]):
        _say(console, note, "dim")


def _sections(found: Answer) -> Iterable[tuple[str, Table | str, Sequence[str]]]:
    shown = [step for step in words.steps(found.prefills) if words.worth_showing(step, found)]
    yield "Ridge points, FLOP/byte", tables.roofs(words.roofs_shown(found)), words.on_roofs()
    yield f"Roof of {words.roof(found)}", "\n".join(draw(found.roof, marks(found))), [words.key(found)]
    yield "Operating points", _points(found), []
    yield words.decode_heading(found), tables.curve(found), words.on_zones(found)
    yield "Prefill", tables.prefills(shown), words.on_prefill(found)
    yield words.formats_heading(found), tables.formats(found.formats), words.on_formats(found)
    yield "What a dollar an hour buys", tables.datasheets(found.hardware), []
    if len(found.hardware) > 1:
        yield words.speed_heading(found), tables.speeds(found.hardware), words.on_speeds(found)
    if found.traffic:
        yield words.traffic_heading(found), tables.bills(found.bills), words.on_bills(found)


def _points(found: Answer) -> Table:
    some = words.points(found)
    return tables.points(some, found.fit.gpus, some)


def marks(found: Answer) -> list[Mark]:
    """Prefill, one decode and as many as fit, at FLOP/s of one accelerator."""
    steps = {"P": found.prefill, "D": found.full, "1": found.alone}
    gpus = found.fit.gpus
    return [Mark(letter, s.intensity, s.flops / s.seconds / gpus) for letter, s in steps.items()]


def _rich(found: Table) -> RenderableType:
    """Headings and texts may wrap where the terminal is narrow, figures never."""
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold dim")
    for index, name in enumerate(found.head):
        text = index in found.left
        widest = max((len(row[index]) for row in found.rows), default=0)
        least = widest if index == 0 or not text else None
        table.add_column(name, justify="left" if text else "right", vertical="bottom", min_width=least)
    for row in found.rows:
        table.add_row(*(Text(cell, COLOURS.get(cell, "")) for cell in row))
    return table


def _say(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)
