"""What a claim is, and how the answers of `sim` are read."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulator.cli import execute

HOLDS, PARTLY, WRONG, OPEN = "holds", "holds in part", "wrong", "cannot be checked"
Answer = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """says: the claim, shortened; why: of the verdict, without a figure of ours; ours: our figures, from the
    answers of `commands` in their order; stands: whether the verdict still follows from them."""

    says: str
    verdict: str
    why: str
    commands: tuple[str, ...]
    ours: Callable[..., str]
    stands: Callable[..., bool]

    def figure(self) -> str:
        return self.ours(*map(answer, self.commands))

    def verdict_stands(self) -> bool:
        return self.stands(*map(answer, self.commands))


H100, A100, MI300X = "-a h100-sxm", "-a a100-sxm-80", "-a mi300x"
FP8 = "sim roofline -m llama-3.1-70b --quantization fp8"
AT = "--prompt 4096 --context 512"
BATCHES = f"{AT} --batch 1,8,64,128,192,256,512"
SMALL = "sim roofline -m llama-3.1-8b"
TRAFFIC = f"{SMALL} {H100} --tensor-parallel-size 1 --traffic traces"
COMMANDS = {
    "roofs": f"sim roofline {H100} {A100} -a h200-sxm {MI300X} -a b200",
    "one": f"{FP8} {H100} -a h200-sxm {MI300X} -a b200 {BATCHES}",
    "two": f"{FP8} {H100} --tensor-parallel-size 2 {BATCHES}",
    "four": f"{FP8} {H100} --tensor-parallel-size 4 {BATCHES}",
    "bf16": f"sim roofline -m llama-3.1-70b {H100} --tensor-parallel-size 2 {BATCHES}",
    "long": f"{FP8} -a h200-sxm --context 4096 --batch 1,64",
    "8b": f"{SMALL} {H100} {A100} --prompt 4096 --context 1024",
    "8b-short": f"{SMALL} {H100} --prompt 128 --context 1024",
    "sarathi": "sim roofline -m llama-13b -a rtx-a6000 --prompt 1024 --context 1024",
    "a100": f"sim roofline -m llama-3.1-70b {A100} --tensor-parallel-size 4 {AT}",
    "b200": f"sim roofline -m llama-3.1-70b -a b200 {AT}",
    "405b": "sim roofline -m llama-3.1-405b --quantization fp8 -a h200-sxm --tensor-parallel-size 8",
    "matrix": "sim step --model llama-3.1-70b --tp 2 --context 512",
    "rag": f"{TRAFFIC}/ragpulse.parquet",
    "code": f"{TRAFFIC}/azure-code-2023.parquet",
    "chat": f"{TRAFFIC}/azure-conversation-2023.parquet",
    "show": "sim show h100-sxm",
}


@cache
def answer(name: str) -> Any:
    """What the named command prints with --json."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = execute([*COMMANDS[name].split()[1:], "--json"])
    assert code == 0, (name, code)
    return json.loads(text.getvalue())


def row(found: Answer, batch: int) -> Answer:
    """A batch of the curve."""
    return next(each for each in found["curve"]["rows"] if each["step"]["sequences"] == batch)


def step(found: Answer, batch: int) -> Answer:
    return dict(row(found, batch)["step"])


def part(found: Answer, name: str) -> Answer:
    return next(each for each in found["parts"] if each["name"] == name)


def intensity(found: Answer, name: str) -> float:
    """FLOP a byte of a step's part."""
    some = part(found, name)
    return float(some["flops"] / some["bytes"])


def length(found: Answer, tokens: int) -> Answer:
    """A prefill of one prompt."""
    return next(each for each in found["prefills"]["by_length"] if each["tokens"] == tokens)


def formats(found: Answer, name: str) -> Answer:
    return next(each for each in found["formats"] if each["name"] == name)


def weights(found: Answer, name: str) -> float:
    """GB of the model's weights in a format."""
    return float(formats(found, name)["weight_bytes"] / 1e9)


def hardware(found: Any, name: str) -> Answer:
    rows = found if isinstance(found, list) else found["hardware"]
    return next(each for each in rows if each["accelerator"] == name)


def speed(found: Answer, name: str) -> Answer:
    """Tokens a second of one accelerator."""
    return dict(hardware(found, name)["speed"])


def times(found: Answer, figure: str, name: str, other: str = "h100-sxm") -> float:
    """A speed of one accelerator over another's."""
    return float(speed(found, name)[figure] / speed(found, other)[figure])


def roof(found: Any, name: str, dtype: str = "bf16") -> Answer:
    return next(each for each in hardware(found, name)["roofs"] if each["dtype"] == dtype)


def peak(found: Any, name: str, dtype: str = "bf16") -> float:
    """Dense TFLOPS."""
    return float(roof(found, name, dtype)["flops_per_s"] / 1e12)


def bandwidth(found: Any, name: str) -> float:
    """TB/s."""
    return float(roof(found, name)["bytes_per_s"] / 1e12)


def zone(found: Answer, name: str) -> Answer:
    return next(each for each in found["curve"]["zones"] if each["name"] == name)


def near(ours: float, said: float, share: float = 0.05) -> bool:
    """Whether our figure is within a share of what is said."""
    return abs(ours / said - 1) <= share
