"""One replica from a few names, as a command line gives them: no scenario file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator import catalog
from simulator.errors import InputError, Problem, unknown
from simulator.scenario.resolve import DTYPES
from simulator.scenario.resolved import EngineArgs, ModelSpec

KV_DTYPES = ("auto", "bf16", "fp8")
PRESET = "vllm-0.33"


@dataclass(frozen=True, slots=True)
class Names:
    """What a command line says of a model; the options' names are the places of errors."""

    model: str
    quantization: str = "none"
    kv_cache_dtype: str = "auto"


def model_spec(names: Names) -> ModelSpec:
    """The model of those names, or of the config.json at that path. Raises InputError with every fault."""
    problems: list[Problem] = []
    shape = _shape(names.model, problems)
    if names.quantization not in DTYPES:
        problems.append(unknown("--quantization", "quantization", names.quantization, DTYPES))
    if names.kv_cache_dtype not in KV_DTYPES:
        problems.append(unknown("--kv-cache-dtype", "dtype", names.kv_cache_dtype, KV_DTYPES))
    if problems or shape is None:
        raise InputError(problems)
    kv = "bf16" if names.kv_cache_dtype == "auto" else names.kv_cache_dtype
    return ModelSpec(shape, names.quantization, *DTYPES[names.quantization], kv)


def _shape(name: str, problems: list[Problem]) -> catalog.Model | None:
    try:
        if Path(name).is_file():
            from simulator.catalog import hf_config

            return hf_config.load(Path(name), f"--model {name}")
        found: catalog.Model = catalog.load("models", name, "--model")
        return found
    except InputError as error:
        problems.extend(error.problems)
        return None


def engine_defaults(accelerator: catalog.Accelerator, max_model_len: int, **given: Any) -> EngineArgs:
    """The engine's arguments as its release fills them in on that accelerator, some of them given.

    max_model_len: tokens, within the model's own limit. Raises AssertionError for a value that the engine
    would not start with.
    """
    from simulator.scenario.engine_args import engine_args
    from simulator.scenario.schema import EngineSection

    section = EngineSection(preset=PRESET, max_model_len=max_model_len, **given)

    def refuse(key: str, *text: str) -> None:
        raise AssertionError((key, *text))

    return engine_args(section, accelerator, max_model_len, refuse)
