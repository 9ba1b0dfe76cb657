"""The `synthetic` part of a scenario: arrivals, lengths and shared prefixes of a generated workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from simulator import catalog
from simulator.scenario import checks
from simulator.scenario.fields import (
    Count,
    CountOrZero,
    Factor,
    Rate,
    SecondsOrZero,
    Section,
    Tokens,
    known_name,
)

ABOUT = ("aliases", "about", "kind")  # of a catalogue entry, not parameters
NOTHING = frozenset[str]()
# A scenario's keys are text, a catalogue's may be numbers.
Percent = Annotated[str, BeforeValidator(lambda key: str(key) if type(key) in (int, float) else key)]


def _keys(*names: str) -> frozenset[str]:
    return frozenset(names)


class DurationSection(Section):
    """A pause: one length, or a distribution of it."""

    kind: Literal["constant", "exponential", "lognormal"] = "constant"
    """The distribution."""
    mean: SecondsOrZero
    """Its mean."""
    cv: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Standard deviation over mean, of a lognormal."""

    _checked = model_validator(mode="after")(
        checks.raising(
            checks.by_kind(
                {
                    "constant": ((NOTHING,), {}),
                    "exponential": ((NOTHING,), {}),
                    "lognormal": ((_keys("cv"),), {}),
                },
                _keys("mean"),
            )
        )
    )


def _constant_duration(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"kind": "constant", "mean": value}


Duration = Annotated[
    DurationSection,
    BeforeValidator(_constant_duration, json_schema_input_type=SecondsOrZero | DurationSection),
]

ARRIVALS: dict[str, tuple[checks.Alternatives, dict[str, Any]]] = {
    "poisson": ((_keys("rate"),), {"normalise": False}),
    "gamma": ((_keys("rate", "burstiness"),), {"normalise": False}),
    "constant": ((_keys("rate"),), {}),
    "closed_loop": ((_keys("concurrency"),), {"think": {"kind": "constant", "mean": 0.0}}),
}


class ArrivalsSection(Section):
    """When requests come."""

    kind: Literal["poisson", "gamma", "constant", "closed_loop"]
    """At random, in bursts, evenly, or from users who each wait for their answer."""
    rate: Rate | None = None
    """Requests per second; not of a closed loop."""
    burstiness: Factor | None = None
    """Shape of the gamma gaps, as in `vllm bench serve`: 1 is Poisson, less comes in bursts."""
    normalise: bool | None = None
    """Stretch the gaps so that the last request comes at requests / rate, as `vllm bench serve` does."""
    concurrency: Count | None = None
    """Users of a closed loop."""
    think: Duration | None = None
    """From a user's answer to the next request; default: none."""

    _checked = model_validator(mode="after")(checks.raising(checks.by_kind(ARRIVALS, NOTHING)))


LENGTHS: dict[str, tuple[checks.Alternatives, dict[str, Any]]] = {
    "constant": ((_keys("tokens"),), {"min": 1, "max": None}),
    "uniform": ((_keys("max"),), {"min": 1}),
    "lognormal": (
        (_keys("mean", "cv"), _keys("median", "p90"), _keys("mu", "sigma")),
        {"min": 1, "max": None},
    ),
    "quantiles": ((_keys("quantiles"),), {"min": 1, "max": None}),
    "empirical": ((_keys("trace"), _keys("file"), _keys("values")), {"min": 1, "max": None}),
}


class LengthsSection(Section):
    """How many tokens: a distribution, whose draws are clipped to min … max."""

    kind: Literal["constant", "uniform", "lognormal", "quantiles", "empirical"]
    """The distribution."""
    min: Tokens | None = None
    """The least; default: 1."""
    max: Tokens | None = None
    """The most; default: none."""
    tokens: Tokens | None = None
    """Of a constant."""
    mean: Annotated[float, *Tokens.__metadata__[:2], Field(gt=0, le=2**31)] | None = None
    """Of a lognormal, with cv."""
    cv: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Standard deviation over mean of a lognormal."""
    median: Annotated[float, Field(gt=0, le=2**31)] | None = None
    """Of a lognormal, with p90."""
    p90: Annotated[float, Field(gt=0, le=2**31)] | None = None
    """90th percentile of a lognormal."""
    mu: Annotated[float, Field(ge=-50, le=50)] | None = None
    """Mean of a lognormal's logarithm, with sigma."""
    sigma: Annotated[float, Field(ge=0, le=50)] | None = None
    """Standard deviation of a lognormal's logarithm."""
    quantiles: dict[Percent, Annotated[float, Field(ge=1, le=2**31)]] | None = None
    """Percent: tokens, both ascending; linear in the logarithm between them."""
    values: Annotated[list[Tokens], Field(min_length=1)] | None = None
    """Token counts, drawn with equal chance."""
    file: str | None = None
    """The path of a text file with a token count a line, relative to this file."""
    trace: str | None = None
    """The path of a trace whose lengths are drawn from, relative to this file."""

    _checked = model_validator(mode="after")(checks.raising(checks.lengths(LENGTHS)))


def _constant_turns(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"kind": "constant", "tokens": value}


Turns = Annotated[
    LengthsSection, BeforeValidator(_constant_turns, json_schema_input_type=Count | LengthsSection)
]

PREFIXES: dict[str, tuple[checks.Alternatives, dict[str, Any]]] = {
    "none": ((NOTHING,), {}),
    "shared": ((_keys("tokens"),), {"groups": 1, "skew": 0.0}),
    "sessions": (
        (_keys("turns"),),
        {"tokens": 0, "groups": 1, "skew": 0.0, "think": {"kind": "constant", "mean": 0.0}},
    ),
}


class PrefixSection(Section):
    """What prompts have in common: nothing, one of some system prompts, or the conversation so far."""

    kind: Literal["none", "shared", "sessions"]
    """Nothing; system prompts; or conversations, each turn repeating what was said before."""
    tokens: CountOrZero | None = None
    """Of a system prompt."""
    groups: Count | None = None
    """How many system prompts there are; default: 1."""
    skew: Annotated[float, Field(ge=0, le=100)] | None = None
    """Group k is as frequent as 1 / (k + 1)^skew; default: 0, all alike."""
    turns: Turns | None = None
    """Turns of a conversation: a number, or a distribution of it."""
    think: Duration | None = None
    """From an answer to the conversation's next turn."""

    _checked = model_validator(mode="after")(checks.raising(checks.by_kind(PREFIXES, NOTHING)))


class SyntheticSection(Section):
    """A generated workload."""

    name: str | None = None
    """A name of `sim list workloads`, whose parameters those given here replace."""
    source: str | None = None
    """Where its parameters are from."""
    requests: Count
    """How many."""
    arrivals: ArrivalsSection
    prompt: LengthsSection
    output: LengthsSection
    correlation: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Of prompt and output length, in a Gaussian copula."""
    prefix: PrefixSection = PrefixSection(kind="none")


def _named(value: Any) -> Any:
    """`chat` or {name: chat, …} laid over the catalogue's entry of that name."""
    given = {"name": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        return given
    name = known_name("workloads", given["name"])
    entry = catalog.entry("workloads", name)
    return {key: value for key, value in entry.items() if key not in ABOUT} | {**given, "name": name}


Synthetic = Annotated[
    SyntheticSection,
    BeforeValidator(_named, json_schema_input_type=Annotated[str, Field()] | SyntheticSection),
]


def written(section: SyntheticSection) -> dict[str, Any]:
    """All its parameters, the defaults of each kind filled in."""
    values = section.model_dump(exclude_none=True)
    tables = {"arrivals": ARRIVALS, "prompt": LENGTHS, "output": LENGTHS, "prefix": PREFIXES}
    for key, table in tables.items():
        kind = values[key].pop("kind")
        optional = {name: value for name, value in table[kind][1].items() if value is not None}
        values[key] = {"kind": kind, **optional, **values[key]}
    return values
