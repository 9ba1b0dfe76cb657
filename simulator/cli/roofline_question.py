"""What the options of `sim roofline` ask, or everything that is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, Problem

if TYPE_CHECKING:
    from simulator.catalog import Accelerator
    from simulator.scenario.resolved import ModelSpec
    from simulator.study.roofline.study import Question
    from simulator.study.roofline.traffic import Traffic

COMPARED = ("h100-sxm", "h200-sxm", "b200", "mi300x", "a100-sxm-80", "l40s")
PROMPT = 2048
MOST_REQUESTS = 65536


def question(spec: ModelSpec, accelerators: tuple[Accelerator, ...], given: dict[str, Any]) -> Question:
    """Raises InputError with every option that is wrong."""
    from simulator.study.roofline.study import Question

    problems: list[Problem] = []
    traffic = _traffic(spec, given, problems)
    prompt = given["prompt"] or (max(1, round(traffic.prompt)) if traffic else PROMPT)
    context = given["context"] or (max(1, round(traffic.context)) if traffic else prompt)
    limit = spec.shape.max_position_embeddings
    for option, tokens in (("--prompt", prompt), ("--context", context)):
        if tokens > limit:
            what = f"{tokens} tokens are over the {limit} of {spec.shape.name}"
            problems.append(Problem(option, what, f"1 to {limit}"))
    batches = _batches(given["batches"], problems)
    tpot_s = _tpot(given["tpot"], traffic, problems)
    if problems:
        raise InputError(problems)
    return Question(
        spec,
        accelerators,
        given["size"],
        prompt,
        context,
        batches,
        traffic,
        tpot_s,
        given["correction"],
        given["utilization"],
    )


def _traffic(spec: ModelSpec, given: dict[str, Any], problems: list[Problem]) -> Traffic | None:
    from simulator.study.roofline.traffic import Traffic, of_trace

    trace, prompt, output = given["trace"], given["prompt_tokens"], given["output_tokens"]
    limit = spec.shape.max_position_embeddings
    if trace and (prompt or output):
        option = "--prompt-tokens" if prompt else "--output-tokens"
        problems.append(Problem(option, "has no effect with --traffic", "one of the two"))
    if given["over_limit"] != "error" and not trace:
        problems.append(Problem("--over-limit", "has no effect without --traffic", "leave it out"))
    if trace:
        try:
            return of_trace(trace, limit, given["over_limit"])
        except InputError as error:
            problems.extend(error.problems)
    elif prompt and output:
        if prompt + output > limit:
            what = f"{prompt} and --output-tokens {output} are over the {limit} tokens of {spec.shape.name}"
            problems.append(Problem("--prompt-tokens", what, f"{limit} tokens together"))
        return Traffic((prompt,), (output,), f"{prompt:,} in, {output:,} out")
    elif prompt or output:
        given_, missing = ("--prompt-tokens", "--output-tokens")[:: 1 if prompt else -1]
        problems.append(Problem(given_, f"needs {missing} too", "both, or neither"))
    return None


def _batches(texts: tuple[str, ...], problems: list[Problem]) -> tuple[int, ...]:
    found: set[int] = set()
    for text in (part.strip() for given in texts for part in given.split(",")):
        if text.isdecimal() and 1 <= int(text) <= MOST_REQUESTS:
            found.add(int(text))
        else:
            problems.append(Problem("--batch", f"{text!r} is no number of requests", f"1 to {MOST_REQUESTS}"))
    return tuple(sorted(found))


def _tpot(text: str | None, traffic: Traffic | None, problems: list[Problem]) -> float | None:
    from simulator.units import quantity

    if text is None:
        return None
    if traffic is None:
        problems.append(Problem("--tpot", "has no effect without a traffic", "--traffic or --prompt-tokens"))
        return None
    try:
        seconds = quantity(text, "s")
    except ValueError as error:
        problems.append(Problem("--tpot", str(error)))
        return None
    if seconds <= 0:
        problems.append(Problem("--tpot", f"{text} is no time", "more than 0 s"))
    return seconds


def accelerators_named(
    names: tuple[str, ...], prices: tuple[str, ...], every: bool
) -> tuple[Accelerator, ...]:
    """Those named, once each, at the prices given. Raises InputError with every wrong name and price."""
    from simulator import catalog

    problems: list[Problem] = []
    found: dict[str, Accelerator] = {}
    for name in names or (catalog.names("accelerators") if every else COMPARED):
        try:
            loaded = catalog.load("accelerators", name, "--accelerator")
            found[loaded.name] = loaded
        except InputError as error:
            problems.extend(error.problems)
    for text in prices:
        _reprice(text, found, problems)
    if problems:
        raise InputError(problems)
    return tuple(found.values())


def _reprice(text: str, found: dict[str, Accelerator], problems: list[Problem]) -> None:
    from dataclasses import replace

    from simulator import catalog

    name, _, amount = text.partition("=")
    try:
        usd = float(amount)
    except ValueError:
        usd = 0.0
    if not 0 < usd < float("inf"):
        problems.append(Problem("--price", f"{text!r} is no price", "NAME=USD, such as h100-sxm=2.5"))
        return
    try:
        known = catalog.canonical("accelerators", name, "--price")
    except InputError as error:
        problems.extend(error.problems)
        return
    if known not in found:
        problems.append(Problem("--price", f"{name} has no effect: it is not compared", ", ".join(found)))
        return
    sources = found[known].sources | {"price_usd_per_hour": "given with --price"}
    found[known] = replace(found[known], price_usd_per_hour=usd, sources=sources)
