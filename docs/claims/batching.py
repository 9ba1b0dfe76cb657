"""3.4: batch size."""

from __future__ import annotations

from claims.claim import HOLDS, PARTLY, WRONG, Answer, Claim, formats, near, part, row, step, zone

BATCHES = (1, 64, 128, 192)
BATCH = (
    Claim(
        "Batch 64 gives 64 tokens for the identical memory transfer",
        PARTLY,
        "of weights; each request's KV cache is read besides, and grows with its context",
        ("one", "long"),
        lambda a, b: (
            f"weights {_weights(a):.0f} GB a step; KV at batch 64: {_kv(a, 64):.1f} GB with 512 tokens of "
            f"context each, {_kv(b, 64):.1f} with 4,096"
        ),
        lambda a, b: _kv(b, 64) > _weights(a) > _kv(a, 64),
    ),
    Claim(
        "Intensity scales linearly with batch size",
        PARTLY,
        "of the layers; of the step only while the KV cache read is small beside the weights",
        ("one", "long"),
        lambda a, b: (
            "512 tokens of context: "
            + ", ".join(f"{step(a, n)['intensity']:.0f} at {n}" for n in BATCHES)
            + f"; 4,096: {step(b, 64)['intensity']:.0f} at 64"
        ),
        lambda a, b: step(b, 64)["intensity"] < 0.7 * step(a, 64)["intensity"],
    ),
    Claim(
        "Batch 1, Llama-3 70B FP8 on H100: about 80 tokens/s",
        WRONG,
        "one H100's bandwidth over the bytes of a step allows far less; by the cost model four "
        "of them give it",
        ("one", "two", "four"),
        lambda a, b, c: (
            f"one (3.35 TB/s ÷ {a['alone']['bytes'] / 1e9:.0f} GB): {_alone(a)}; two: {_alone(b)}; "
            f"four: {_alone(c)}"
        ),
        lambda a, b, c: a["alone"]["ideal_tokens_per_s"] < 50 and near(c["alone"]["tokens_per_s"], 80, 0.1),
    ),
    Claim(
        "… with the memory bus working at capacity",
        PARTLY,
        "launches and latencies take their part of the step",
        ("one",),
        lambda a: (
            f"{a['alone']['mbu']:.0%} of the bandwidth: {1e3 * a['alone']['seconds']:.1f} ms a step, "
            f"{1e3 * a['alone']['ideal_s']:.1f} ideal"
        ),
        lambda a: 0.6 < a["alone"]["mbu"] < 0.9,
    ),
    Claim(
        "Batch 128: about 4,700 tokens/s",
        PARTLY,
        "close to the ideal of one H100, which could not hold the requests; by the cost model two give it",
        ("one", "two"),
        lambda a, b: (
            f"one: {step(a, 128)['ideal_tokens_per_s']:,.0f} ideal, "
            f"{step(a, 128)['tokens_per_s']:,.0f} by the cost model; two: {step(b, 128)['tokens_per_s']:,.0f}"
        ),
        lambda a, b: (
            near(step(a, 128)["ideal_tokens_per_s"], 4700, 0.1)
            and near(step(b, 128)["tokens_per_s"], 4700, 0.1)
            and step(a, 128)["tokens_per_s"] < 0.8 * 4700
        ),
    ),
    Claim(
        "… on one H100",
        WRONG,
        "beside the weights its memory holds too few tokens",
        ("one", "two"),
        lambda a, b: (
            f"one: {a['fit']['kv_tokens']:,} tokens, {a['fit']['kv_tokens'] / 128:.0f} each at batch 128, or "
            f"{a['curve']['room']} requests of 512; two: {b['curve']['room']} of 512"
        ),
        lambda a, b: a["curve"]["room"] < 20 and not row(a, 128)["held"] and row(b, 128)["held"],
    ),
    Claim(
        "… roughly 60 × batch 1",
        WRONG,
        "80 and 4,700 belong to different layouts; of one layout the gain is larger",
        ("one", "two"),
        lambda a, b: (
            f"one: {_gain(a, 'ideal_tokens_per_s'):.0f} × ideal, {_gain(a, 'tokens_per_s'):.0f} "
            f"× by the cost model; two: {_gain(b, 'tokens_per_s'):.0f} ×"
        ),
        lambda a, b: min(_gain(a, "tokens_per_s"), _gain(b, "tokens_per_s")) > 72,
    ),
    Claim(
        "… at the same weight-loading cost, for identical hardware cost per step",
        WRONG,
        "the weights cost the same, the step does not",
        ("one",),
        lambda a: (
            f"the step at 128 takes {step(a, 128)['ideal_s'] / step(a, 1)['ideal_s']:.2f} × that "
            f"at 1 ideally, {step(a, 128)['seconds'] / step(a, 1)['seconds']:.2f} × by the cost model"
        ),
        lambda a: step(a, 128)["seconds"] > 1.3 * step(a, 1)["seconds"],
    ),
    Claim(
        "Once bandwidth is saturated, no software optimisation pushes the curve higher",
        WRONG,
        "fewer bytes do: 4-bit weights, an fp8 KV cache",
        ("two",),
        lambda a: (
            f"int4 weights decode {_int4(a, 'ideal'):.2f} × as fast as fp8 ideally, "
            f"{_int4(a, 'seconds'):.2f} × by the cost model, at batch 1"
        ),
        lambda a: _int4(a, "seconds") > 1.3,
    ),
    Claim(
        "Figure 3.4: near-linear, bending, then a plateau when bandwidth is exhausted",
        PARTLY,
        "the shape, drawn below; but the bus is busiest at batch 1, and the layers' arithmetic "
        "makes the plateau",
        ("two",),
        lambda a: (
            "two H100: "
            + "; ".join(f"{z['name']} to {z['last']:,} by {z['grows']}" for z in a["curve"]["zones"])
            + f"; bandwidth used: {a['alone']['mbu']:.0%} at 1, {step(a, 512)['mbu']:.0%} at 512"
        ),
        lambda a: a["alone"]["mbu"] > step(a, 512)["mbu"] and zone(a, "plateau")["grows"] == "compute",
    ),
    Claim(
        "The caption's 4,510 tokens/s at 128",
        PARTLY,
        "contradicts the text's 4,700; nearer to the ideal with 512 tokens of context",
        ("one",),
        lambda a: f"{step(a, 128)['ideal_tokens_per_s']:,.0f} ideal",
        lambda a: near(step(a, 128)["ideal_tokens_per_s"], 4510),
    ),
    Claim(
        "Beyond about 192 requests more users yield diminishing returns",
        PARTLY,
        "they diminish from the start; of one H100 192 is no limit, since its memory ends the curve before",
        ("two", "one"),
        lambda a, b: (
            "two H100: one more request adds "
            + ", ".join(f"{row(a, n)['one_more']:.0%} around {n}" for n in (64, 192, 512))
            + f" of the first one's tokens/s; one H100 holds {b['curve']['room']}"
        ),
        lambda a, b: zone(a, "plateau")["first"] > 192 > b["curve"]["room"],
    ),
    Claim(
        "Serving one at a time pays full bandwidth for a fraction of the output",
        HOLDS,
        "",
        ("two",),
        lambda a: f"1/{_gain(a, 'tokens_per_s'):.0f} of what batch 128 yields, on two H100",
        lambda a: _gain(a, "tokens_per_s") > 60,
    ),
    Claim(
        "Concurrent prefills raise TTFT without a proportional gain",
        HOLDS,
        "for prompts that saturate compute alone",
        ("8b",),
        lambda a: (
            f"16 prompts of 4,096 tokens: the last first token after "
            f"{_prompts(a)[-1]['seconds']:.2f} s, alone after {_prompts(a)[0]['seconds']:.3f}"
        ),
        lambda a: near(_prompts(a)[-1]["seconds"] / _prompts(a)[0]["seconds"], 16),
    ),
)


def _weights(found: Answer) -> float:
    """GB of the layers' weights and the output matrix that a step at batch 1 reads."""
    return float(sum(part(found["alone"], name)["bytes"] for name in ("layers", "head")) / 1e9)


def _kv(found: Answer, batch: int) -> float:
    return float(part(step(found, batch), "attention")["bytes"] / 1e9)


def _alone(found: Answer) -> str:
    alone = found["alone"]
    return f"{alone['ideal_tokens_per_s']:.0f} ideal, {alone['tokens_per_s']:.0f} by the cost model"


def _gain(found: Answer, figure: str) -> float:
    return float(step(found, 128)[figure] / step(found, 1)[figure])


def _int4(found: Answer, figure: str) -> float:
    """Times as fast as fp8."""
    return float(formats(found, "int4")["decode"][figure] / formats(found, "fp8")["decode"][figure])


def _prompts(found: Answer) -> list[Answer]:
    return list(found["prefills"]["by_prompts"])
