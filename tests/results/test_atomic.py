"""Files and folders that appear whole or not at all, also when the disk is full."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from simulator.errors import InputError
from simulator.results.atomic import replacing, replacing_file


def half(path: Path) -> None:
    """Writes until the disk is full."""
    path.write_text("half of")
    raise OSError(errno.ENOSPC, "anything")


def test_a_disk_that_fills_up_leaves_the_older_folder_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    target.joinpath("summary.json").write_text("old")
    with pytest.raises(InputError) as caught, replacing(target, "run folder", "summary.json") as new:
        half(new / "summary.json")
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == (str(target), "cannot be written: No space left on device")
    assert target.joinpath("summary.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_up_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left"), replacing_file(tmp_path / "trace.parquet") as new:
        half(new)
    assert not list(tmp_path.iterdir())


def test_other_faults_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), replacing_file(tmp_path / "file"):
        raise PermissionError(errno.EACCES, "not yours")


def test_a_device_or_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    with replacing_file(pipe) as new:
        new.write_text("all of it")
    reader.join()
    assert heard == ["all of it"]
    assert pipe.is_fifo()
