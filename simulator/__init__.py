"""A discrete-event simulator of LLM inference serving.

From Python: `from simulator import Scenario, run, compare`. See `simulator.api`, which is imported when it is
first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = ["Comparison", "InputError", "Result", "Scenario", "Workload", "compare", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("simulator.api"), name)
    raise AttributeError(f"module 'simulator' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
