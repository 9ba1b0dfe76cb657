"""Which keys a scenario may have at a place."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from simulator.scenario.schema import Scenario


def keys_at(path: Sequence[Any]) -> list[str]:
    """The keys allowed in the mapping at a path; [] where any are."""
    annotation: Any = Scenario
    for step in path:
        annotation = _below(annotation, str(step))
    found = [key for section in _choices(annotation) if _is_section(section) for key in section.model_fields]
    return [*found, "extends"] if annotation is Scenario else found


def _below(annotation: Any, key: str) -> Any:
    """The annotation of what is under a key."""
    for choice in _choices(annotation):
        if typing.get_origin(choice) is dict:
            return typing.get_args(choice)[1]
        if _is_section(choice) and key in choice.model_fields:
            return choice.model_fields[key].annotation
    return None


def _choices(annotation: Any) -> Iterator[Any]:
    """What an annotation may stand for, without Annotated and unions."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _choices(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for inner in typing.get_args(annotation):
            yield from _choices(inner)
    else:
        yield annotation


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
