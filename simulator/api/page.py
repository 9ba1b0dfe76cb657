"""Small pieces of HTML for notebooks: they inherit its colours and fonts, and escape every text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

LINE = "border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent)"


def block(title: str, *parts: str) -> str:
    """Parts of HTML under a title (a text)."""
    head = f'<div style="font-weight: 600; margin-bottom: .3em">{escape(title)}</div>'
    return f'<div style="max-width: 100%; overflow-x: auto">{head}{"".join(parts)}</div>'


def line(text: str) -> str:
    """A line of text."""
    return f'<div style="margin: .2em 0">{escape(text)}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Texts as a table: the first column to the left, figures to the right."""
    head = f"<thead>{_row(header, 'th', bool(header))}</thead>" if header else ""
    body = "".join(_row(row, "td", bool(header)) for row in rows)
    style = "border-collapse: collapse; color: inherit; font: inherit"
    return f'<table style="{style}">{head}<tbody>{body}</tbody></table>'


def _row(cells: Sequence[str], tag: str, figures: bool) -> str:
    shown = []
    for number, cell in enumerate(cells):
        side = "right" if figures and number else "left"
        kind = "th scope=row" if not number and tag == "td" else "th scope=col" if tag == "th" else tag
        style = f"text-align: {side}; padding: .15em .6em; {LINE if tag == 'th' else ''}"
        shown.append(f'<{kind} style="{style}">{escape(cell)}</{kind.split()[0]}>')
    return f"<tr>{''.join(shown)}</tr>"


def plain(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same as lines of text."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    )
