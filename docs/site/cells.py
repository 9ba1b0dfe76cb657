"""Pages whose code runs and whose outputs are true; `python docs/site/cells.py [PAGE…]` writes outputs again.

A page is Markdown. Its ```python and ```sh blocks are run in order, in an empty folder where `scenarios` and
`traces` are; `sh` may hold commands of `sim` alone. What follows a block as <!-- output --> is what it prints
(and the value of its last expression). A block with title="FILE" is written to that file instead. Python in
<!-- check … --> is run, and not shown: it asserts what the prose says. Other blocks are only shown.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WIDTH = "110"
BLOCK = re.compile(
    r"^```(?P<kind>python|sh|yaml|json)(?P<options>[^\n`]*)\n(?P<code>.*?)^```$"
    r"|^<!-- check\n(?P<check>.*?)-->$"
    r"|^<!-- output -->\n+```text\n(?P<output>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A block that is run, and where the output that is shown of it stands in the page (from, to)."""

    kind: str
    code: str
    title: str
    line: int
    shown: tuple[int, int] | None


def pages() -> list[Path]:
    """Those with code that runs."""
    found = [DOCS / "quick-start.md", *DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")]
    return sorted(page for page in found if page.is_file())


def cells(text: str) -> list[Cell]:
    """Of a page, in order."""
    found: list[Cell] = []
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        if block["output"] is not None:
            last = found.pop()
            found.append(Cell(last.kind, last.code, last.title, last.line, block.span("output")))
        elif block["check"] is not None:
            found.append(Cell("check", block["check"], "", line, None))
        else:
            title = re.search(r'title="([^"]+)"', block["options"])
            found.append(Cell(block["kind"], block["code"], title[1] if title else "", line, None))
    return found


def fresh(page: Path) -> str:
    """The page's text with its outputs as they are now. Raises AssertionError, with the line."""
    with workplace():
        return filled(page)


def filled(page: Path) -> str:
    """The same; what its code writes is left in the current folder."""
    text = page.read_text(encoding="utf-8")
    spaces: dict[str, Any] = {"__name__": "__main__"}
    edits: list[tuple[tuple[int, int], str]] = []
    for cell in cells(text):
        try:
            printed = run(cell, spaces)
        except Exception as error:
            raise AssertionError(f"{page.name}:{cell.line}: {type(error).__name__}: {error}") from error
        if cell.shown:
            edits.append((cell.shown, printed))
    for (begin, end), printed in reversed(edits):
        text = text[:begin] + printed + text[end:]
    return text


@contextmanager
def workplace() -> Iterator[None]:
    """An empty folder with what pages may use, a terminal of a fixed width, no colours."""
    steady = {"COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
    wide = pd.option_context("display.width", int(WIDTH), "display.max_columns", 20)
    with wide, tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, steady), chdir(folder):
        for name in ("scenarios", "traces"):
            Path(name).symlink_to(ROOT / name)
        yield


def run(cell: Cell, spaces: dict[str, Any]) -> str:
    """What it prints; trailing blanks and what depends on the machine's speed are left out."""
    if cell.title:
        Path(cell.title).parent.mkdir(parents=True, exist_ok=True)
        Path(cell.title).write_text(cell.code, encoding="utf-8")
        return ""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        if cell.kind in ("python", "check"):
            python(cell.code, spaces)
        elif cell.kind == "sh":
            shell(cell.code)
    lines = (line.rstrip() for line in printed.getvalue().strip("\n").rstrip().splitlines())
    return "".join(f"{line}\n" for line in lines if not line.startswith("simulated "))


def python(code: str, spaces: dict[str, Any]) -> None:
    """As a notebook does: the last line's value is printed, too; faults of the input are told."""
    from simulator import InputError

    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, "<page>", "exec"), spaces)
        value = eval(compile(ast.Expression(last.value), "<page>", "eval"), spaces) if last else None
    except InputError as error:
        print(f"InputError: {error}")
    else:
        if value is not None:
            print(value if isinstance(value, str) else repr(value))


def shell(code: str) -> None:
    """Commands of `sim`, in this process. Raises AssertionError for others, and for a defect."""
    from simulator import cli, errors

    for command in code.replace("\\\n", " ").splitlines():
        program, *args = shlex.split(command, comments=True) or [""]
        if not program:
            continue
        assert program == "sim", f"only commands of sim are run, not {program}"
        assert cli.execute(args) != errors.DEFECT, command


def main(names: list[str]) -> None:
    sys.path.insert(0, str(ROOT))
    for page in [Path(name).absolute() for name in names] or pages():
        text = fresh(page)
        changed = text != page.read_text(encoding="utf-8")
        page.write_text(text, encoding="utf-8")
        print(f"{'written' if changed else 'as it was'}: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
