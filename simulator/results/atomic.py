"""A folder that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.errors import InputError, Problem


@contextmanager
def replacing(target: Path, kind: str, mark: str) -> Iterator[Path]:
    """Yields a new folder to write into; it is moved to `target` at the end, in place of an older one there.

    kind: what it is called; mark: the file by which it is known. Raises InputError if `target` is there and
    is of another kind (nothing of the user's is ever removed), or if its parent cannot be written to.
    """
    if target.exists() and not of_kind(target, mark):
        raise InputError(Problem(str(target), f"is there and is no {kind}", "a new folder, or an older one"))
    writable(target.parent)
    with (
        _told(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary,
    ):
        new = Path(temporary, "new")
        new.mkdir()
        yield new
        if target.exists():
            os.replace(target, Path(temporary, "old"))
        os.replace(new, target)


@contextmanager
def _beside(target: Path) -> Iterator[str]:
    """A folder on the same disk, gone at the end."""
    with _told(target), tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as new:
        yield new


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """A disk that is full meanwhile as an InputError; what was begun is gone."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        what = f"cannot be written: {os.strerror(error.errno)}"
        raise InputError(Problem(str(target), what, "a place with room", "nothing is kept of it")) from None


def writable(parent: Path) -> None:
    """Makes the folder if need be. Raises InputError unless folders can be made in it."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=parent):
            pass
    except OSError as error:
        raise InputError(
            Problem(str(parent), f"cannot be written to: {error.strerror}", "a folder that can be")
        ) from None


def of_kind(path: Path, mark: str) -> bool:
    """Whether such a folder is there, or an empty one."""
    return path.is_dir() and (path.joinpath(mark).is_file() or not any(path.iterdir()))


@contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Yields the path of a new file beside `target`, which it replaces at the end.

    Raises InputError if a folder is there, or if the parent cannot be written to.
    """
    if target.is_dir():
        raise InputError(Problem(str(target), "is a folder", "the name of a file"))
    if target.exists() and not target.is_file():
        with _told(target):
            yield target  # a device or a pipe stays what it is
        return
    writable(target.parent)
    with (
        _told(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary,
    ):
        new = Path(temporary, target.name)
        yield new
        os.replace(new, target)
