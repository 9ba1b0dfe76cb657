"""A pool of several kinds of accelerators: what it means, what is refused, and that it is written whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator.errors import Problem
from simulator.scenario.load import load

Problems = Callable[..., list[Problem]]
MIXED = """\
fleet:
  pools:
    serve:
      accelerator: null
      replicas: null
      router: least_tokens
      engine: {max_num_seqs: 64, enable_prefix_caching: false}
      members:
        new: {accelerator: h100-sxm, replicas: 2}
        old: {accelerator: a100-sxm-80, tensor_parallel_size: 2, engine: {max_num_seqs: 32}}
"""


def test_members_are_replicas_of_their_kind_under_the_pools_router(problems: Problems, minimal: Path) -> None:
    assert not problems(MIXED)
    new, old = load(minimal.parent / "child.yaml").fleet.pools
    assert [(spec.name, spec.pool, spec.key) for spec in (new, old)] == [
        ("serve/new", "serve", "fleet.pools.serve.members.new"),
        ("serve/old", "serve", "fleet.pools.serve.members.old"),
    ]
    assert [(spec.accelerator.name, spec.replicas, spec.layout.accelerators) for spec in (new, old)] == [
        ("h100-sxm", 2, 1),
        ("a100-sxm-80", 1, 2),
    ]
    assert (new.engine.max_num_seqs, old.engine.max_num_seqs) == (64, 32)
    assert not new.engine.enable_prefix_caching and not old.engine.enable_prefix_caching
    # what is not given goes by each one's own memory (R91)
    assert (new.engine.max_num_batched_tokens, old.engine.max_num_batched_tokens) == (8192, 2048)
    assert new.router == old.router and new.router is not None


def test_its_written_form_means_the_same(problems: Problems, minimal: Path) -> None:
    (minimal.parent / "aging.py").write_text("def make(options, setting): ...\n")
    policies = [
        (),
        ("fleet.pools.serve.engine.scheduling_policy=priority",),
        (f"fleet.pools.serve.engine.scheduling_policy={minimal.parent / 'aging.py'}",),
        (f"fleet.pools.serve.members.old.engine.scheduling_policy={minimal.parent / 'aging.py'}",),
    ]
    for sets in policies:
        assert not problems(MIXED, *sets)
        once = load(minimal.parent / "child.yaml", list(sets))
        written = minimal.parent / "written.yaml"
        with written.open("w") as stream:
            YAML().dump(once.document, stream)
        again = load(written)
        assert (again.hash, again.fleet) == (once.hash, once.fleet)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["fleet.pools.serve.members=null"], "fleet.pools.serve.accelerator: is missing"),
        (["fleet.pools.serve.accelerator=h100-sxm"], "has no effect: each of members has its own"),
        (["fleet.pools.serve.replicas=3"], "has no effect: each of members has its own"),
        (
            [
                "fleet.pools.serve.tensor_parallel_size=4",
                "fleet.pools.serve.members.new.tensor_parallel_size=1",
            ],
            "fleet.pools.serve.tensor_parallel_size: has no effect",
        ),
        (["fleet.pools.serve.members.new.accelerator=h1000"], "unknown accelerator 'h1000'"),
        (["fleet.pools.serve.members.new.engine.max_num_seq=3"], "unknown key"),
        (["fleet.pools.serve.members.new.engine.max_model_len=900000"], "over the model's own limit"),
        (["fleet.pools={'serve/new': {accelerator: h100-sxm}}"], "a pool has that name"),
        (["prices={l40s: 1}"], "allowed: a100-sxm-80, h100-sxm"),
        (
            [
                "fleet.pools.serve.members.old.pipeline_parallel_size=2",
                "fleet.pools.serve.members.old.engine.preset=vllm-0.19",
            ],
            "asynchronous scheduling of a pipeline under preset vllm-0.19",
        ),
    ],
)
def test_what_is_wrong_is_told(problems: Problems, sets: list[str], said: str) -> None:
    found = problems(MIXED, *sets)
    assert any(said in str(problem) for problem in found), [str(problem) for problem in found]
