"""The kinds of value that a scenario has: quantities with units, names from the catalogues, whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from simulator import catalog, plugins
from simulator.errors import unknown
from simulator.units import quantity


class Section(BaseModel):
    """A mapping of known keys: an unknown one is an error, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


def fault(what: str, allowed: str = "", hint: str = "") -> PydanticCustomError:
    """A fault at the value under validation, as a Problem will say it."""
    return PydanticCustomError("scenario", "{what}", {"what": what, "allowed": allowed, "hint": hint})


def _quantity(dimension: str) -> Callable[[Any], float]:
    def convert(value: Any) -> float:
        if not isinstance(value, int | float | str):
            raise fault(f"expected a quantity, not {type(value).__name__}", f"such as {EXAMPLES[dimension]}")
        try:
            return quantity(value, dimension)
        except (ValueError, OverflowError) as error:
            what, _, allowed = str(error).partition("; allowed: ")
            raise fault(what, allowed) from None

    return convert


EXAMPLES = {
    "s": "50 ms",
    "byte": "80 GB",
    "byte/s": "400 Gbit/s",
    "1/s": "12 /s",
    "$/h": "2.5 $/h",
    "token": "8k",
    "1": "0.9 or 90 %",
}


def _unit(dimension: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """Reads a quantity into its SI unit."""
    schema = {"type": ["number", "string"], "examples": [EXAMPLES[dimension]], "x-unit": dimension}
    return BeforeValidator(_quantity(dimension)), WithJsonSchema(schema)


def _over_zero(value: float) -> float:
    if not 0 < value < float("inf"):
        raise fault(f"{value:g} is out of range", "more than 0")
    return value


def _zero_or_more(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise fault(f"{value:g} is out of range", "0 or more")
    return value


def _share(value: float) -> float:
    if not 0 < value <= 1:
        raise fault(f"{value:g} is out of range", "more than 0, up to 1")
    return value


def known_name(kind: str, name: str) -> str:
    """The catalogue's own spelling of a name; a fault if it has none."""
    if catalog.known(kind, name):
        return catalog.canonical(kind, name)
    problem = unknown("", kind.removesuffix("s"), name, catalog.names(kind))
    raise fault(problem.what, problem.allowed, problem.hint)


def _pluggable(kind: str) -> Callable[[str], str]:
    """Checks that a plug-in of that name exists; a .py file is looked for later, in its directory."""

    def check(name: str) -> str:
        known = plugins.names(kind)
        if name in known or name.endswith(".py"):
            return name
        problem = unknown("", NOUNS[kind], name, known)
        raise fault(problem.what, problem.allowed or "the path of a .py file", problem.hint)

    return check


def _name_of(kind: str) -> tuple[AfterValidator, WithJsonSchema]:
    """A name of a catalogue or of a plug-in; json_schema.py fills the names in."""
    check = partial(known_name, kind) if kind in catalog.KINDS else _pluggable(kind)
    return AfterValidator(check), WithJsonSchema({"type": "string", "x-names": kind})


NOUNS = {"routers": "router", "policies": "scheduling policy", "formats": "trace format"}

Seconds = Annotated[float, *_unit("s"), AfterValidator(_over_zero)]
SecondsOrZero = Annotated[float, *_unit("s"), AfterValidator(_zero_or_more)]
Bytes = Annotated[float, *_unit("byte"), AfterValidator(_over_zero)]
BytesPerSecond = Annotated[float, *_unit("byte/s"), AfterValidator(_over_zero)]
PricePerHour = Annotated[float, *_unit("$/h"), AfterValidator(_zero_or_more)]
Share = Annotated[float, *_unit("1"), AfterValidator(_share)]
Factor = Annotated[float, *_unit("1"), AfterValidator(_over_zero)]


def _tokens(value: float) -> int:
    if not 1 <= value < 2**31 or value != int(value):
        raise fault(f"{value:g} is no number of tokens", "a whole number of 1 or more")
    return int(value)


Rate = Annotated[float, *_unit("1/s"), AfterValidator(_over_zero)]
Tokens = Annotated[float, *_unit("token"), AfterValidator(_tokens)]


def _count(value: Any) -> Any:
    """10k as 10,000; not 10K, which is 10,240 to vLLM and 10,000 to others."""
    if not isinstance(value, str):
        return value
    allowed = "a whole number, such as 100_000, 100k, 1M or 8Ki (8,192)"
    hint = f"{value[:-1]}k is 1,000 times that, {value[:-1]}Ki 1,024 times" if value[-1:] == "K" else ""
    try:
        number = quantity(value, "token")
    except (ValueError, OverflowError):
        raise fault(f"{value!r} is no whole number", allowed) from None
    if hint or not number.is_integer():
        raise fault(f"{value!r} is no whole number" if not hint else f"{value!r} is ambiguous", allowed, hint)
    return int(number)


def _whole(least: int) -> tuple[BeforeValidator, Any, WithJsonSchema]:
    """A whole number from `least` on, as a number or with an SI suffix."""
    bounds = {"minimum": least, "maximum": 2**31 - 1}
    schema = {"type": ["integer", "string"], **bounds, "pattern": r"^[0-9][0-9_]*(\.[0-9]+)? ?(k|M|Ki)?$"}
    return BeforeValidator(_count), Field(ge=least, le=2**31 - 1), WithJsonSchema(schema)


Count = Annotated[int, *_whole(1)]
CountOrZero = Annotated[int, *_whole(0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]

AcceleratorName = Annotated[str, *_name_of("accelerators")]
LinkName = Annotated[str, *_name_of("links")]
ConnectorName = Annotated[str, *_name_of("connectors")]
PresetName = Annotated[str, *_name_of("presets")]
RouterName = Annotated[str, *_name_of("routers")]
PolicyName = Annotated[str, *_name_of("policies")]
FormatName = Annotated[str, *_name_of("formats")]
