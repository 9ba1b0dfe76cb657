"""The parameters of a synthetic workload, as they are once checked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrivals:
    """kind: poisson, gamma, constant (`rate` requests per second) or closed_loop (`concurrency` users)."""

    kind: str
    rate: float = 0.0
    burstiness: float = 1.0
    normalise: bool = False
    concurrency: int = 0
    think: Duration | None = None


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds: kind constant, exponential or lognormal, of mean `mean` and coefficient of variation `cv`."""

    kind: str
    mean: float
    cv: float = 0.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens: kind constant, uniform, lognormal, quantiles or empirical; draws are clipped to min … max."""

    kind: str
    min: int = 1
    max: int | None = None
    tokens: int = 0
    mu: float = 0.0
    sigma: float = 0.0
    quantiles: tuple[tuple[float, float], ...] = ()
    values: tuple[int, ...] = ()
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Prefix:
    """What prompts have in common, besides their own tokens.

    kind none; shared: `tokens` of one of `groups` system prompts before each prompt, group k as often as
    1/(k+1)^skew; sessions: also conversations of `turns` turns, each prompt being all that was said before
    and its own new tokens.
    """

    kind: str = "none"
    tokens: int = 0
    groups: int = 1
    skew: float = 0.0
    turns: Lengths | None = None
    think: Duration | None = None


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A whole synthetic workload; correlation: of prompt and output, in a Gaussian copula."""

    requests: int
    arrivals: Arrivals
    prompt: Lengths
    output: Lengths
    correlation: float = 0.0
    prefix: Prefix = field(default_factory=Prefix)
    name: str = ""
    source: str = ""
