"""A pool of several kinds of replicas, taken apart: each of its members as a pool section of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.scenario.positions import Place

if TYPE_CHECKING:
    from simulator.scenario.schema import MemberSection, PoolSection

LAYOUT = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "enable_expert_parallel",
)


@dataclass(frozen=True, slots=True)
class Part:
    """Replicas of one kind. name: of the pool, or pool/member; at: where they are written; policy: where
    their scheduling policy is, with them or with the pool."""

    name: str
    pool: str
    member: str
    section: PoolSection
    at: Place
    policy: Place

    @property
    def inherits_policy(self) -> bool:
        """Whether a scheduling policy is given, and by the pool for all members."""
        own = self.policy[: len(self.at)] == self.at
        return not own and self.section.engine.scheduling_policy is not None


def parts(pools: dict[str, PoolSection]) -> Iterator[Part]:
    """Every pool as it is, and of one with members each, with the pool's values where it has none."""
    for name, pool in pools.items():
        at = ("fleet", "pools", name)
        if not pool.members:
            yield Part(name, name, "", pool, at, (*at, "engine", "scheduling_policy"))
        for member, own in (pool.members or {}).items():
            below = (*at, "members", member)
            policy = (*(below if _has_policy(own) else at), "engine", "scheduling_policy")
            yield Part(f"{name}/{member}", name, member, _merged(pool, own), below, policy)


def _has_policy(own: MemberSection) -> bool:
    return own.engine is not None and "scheduling_policy" in own.engine.model_fields_set


def _merged(pool: PoolSection, own: MemberSection) -> PoolSection:
    values = {key: getattr(own, key) for key in LAYOUT if getattr(own, key) is not None}
    engine = pool.engine
    if own.engine is not None:
        engine = engine.model_copy(
            update={key: getattr(own.engine, key) for key in own.engine.model_fields_set}
        )
    values |= {"accelerator": own.accelerator, "replicas": own.replicas, "engine": engine, "members": None}
    return pool.model_copy(update=values)
