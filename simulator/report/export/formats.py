"""The formats of `sim export`: what each is called, what it writes, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from simulator.report.export.carried import Carried
from simulator.report.export.source import Source, Told


@dataclass(frozen=True, slots=True)
class Format:
    """module: beside this one, with `write`; ending: of what is written beside the run folder by default."""

    module: str
    ending: str

    @property
    def write(self) -> Callable[[Source, Path, Told], Carried]:
        found: Callable[[Source, Path, Told], Carried] = import_module(f"{__package__}.{self.module}").write
        return found


FORMATS = {
    "perfetto": Format("perfetto", ".perfetto.json"),
    "vllm-bench": Format("vllm_bench", ".vllm-bench.json"),
    "aiperf": Format("aiperf", ".aiperf"),
    "csv": Format("tables", ".csv"),
    "prometheus": Format("prometheus", ".prom"),
}


def default(folder: Path, name: str) -> Path:
    """Beside the run folder, whose own bytes stay as they are."""
    named = folder if folder.name else folder.resolve()
    return named.with_name(named.name + FORMATS[name].ending)
