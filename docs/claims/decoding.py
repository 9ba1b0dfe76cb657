"""3.3: decode under the roof."""

from __future__ import annotations

from claims.claim import (
    HOLDS,
    PARTLY,
    WRONG,
    Answer,
    Claim,
    bandwidth,
    hardware,
    intensity,
    length,
    near,
    peak,
    roof,
    speed,
    times,
    weights,
)

LENGTHS = (512, 1024, 2048, 4096, 8192)
DECODE = (
    Claim(
        "A decode step generates exactly one new token",
        HOLDS,
        "for each sequence, without speculative decoding",
        ("one",),
        lambda a: f"{a['alone']['tokens']} at batch 1",
        lambda a: a["alone"]["tokens"] == 1,
    ),
    Claim(
        "It moves hundreds of gigabytes of weights",
        WRONG,
        "not of the text's model: only the largest have so many",
        ("one", "405b"),
        lambda a, b: (
            f"70B: {weights(a, 'fp8'):.1f} GB in fp8, {weights(a, 'none'):.1f} in bf16; "
            f"405B: {weights(b, 'fp8'):.0f} in fp8"
        ),
        lambda a, b: weights(a, "fp8") < 100 and weights(b, "fp8") > 200,
    ),
    Claim(
        "… of multi-gigabyte matrices",
        WRONG,
        "the largest matrix of a layer of 70B, gate and up in one, in bf16",
        ("matrix",),
        lambda a: f"{_largest(a) / 1e9:.2f} GB",
        lambda a: _largest(a) < 1e9,
    ),
    Claim(
        "Figure 3.3: the full weights, tens of gigabytes, for a single vector",
        HOLDS,
        "70B in fp8",
        ("one",),
        lambda a: (
            f"{weights(a, 'fp8'):.1f} GB; a step at batch 1 moves {a['alone']['bytes'] / 1e9:.1f} GB for "
            f"{a['alone']['flops'] / 1e9:.0f} GFLOP"
        ),
        lambda a: 10 < weights(a, "fp8") < 100,
    ),
    Claim(
        "SARATHI: at batch 1 a decoded token costs up to 200 × a prefilled one",
        HOLDS,
        "in its own set-up ([arXiv:2308.16369](https://arxiv.org/abs/2308.16369)): LLaMA-13B in "
        "16 bits on an A6000. The limit is the ridge of 16 bits, so other accelerators have another",
        ("sarathi", "8b", "roofs"),
        lambda a, b, c: (
            f"A6000: {a['gap']['ideal']:.0f} × ideal, {a['gap']['seconds']:.0f} × by the cost "
            f"model (assumed), ridge {a['gap']['ridge']:.0f}; H100, 8B: {b['gap']['seconds']:.0f} ×, ridge "
            f"{b['gap']['ridge']:.0f}; an A100's ridge: {roof(c, 'a100-sxm-80')['ridge']:.0f}"
        ),
        lambda a, b, c: near(a["gap"]["ideal"], 200) and near(a["gap"]["seconds"], 200, 0.15),
    ),
    Claim(
        "About 1,000 FLOP/byte in prefill",
        PARTLY,
        "at some length: it grows with the tokens of a step",
        ("8b",),
        lambda a: "8B, bf16: " + ", ".join(f"{length(a, n)['intensity']:,.0f} at {n:,}" for n in LENGTHS),
        lambda a: length(a, 2048)["intensity"] < 1000 < length(a, 8192)["intensity"],
    ),
    Claim(
        "About 2 FLOP/byte in decode",
        PARTLY,
        "at 8 bits a weight, which is used for 2 FLOP; attention has an intensity of its own, "
        "whatever the batch",
        ("one", "bf16"),
        lambda a, b: (
            f"70B: {a['alone']['intensity']:.2f} in fp8, {b['alone']['intensity']:.2f} in bf16; attention "
            f"{intensity(a['alone'], 'attention'):.1f}"
        ),
        lambda a, b: near(a["alone"]["intensity"], 2) and near(b["alone"]["intensity"], 1),
    ),
    Claim(
        "A 500 × difference in computational density",
        PARTLY,
        "1,000 over 2; the number is a choice of length and format",
        ("8b", "one"),
        lambda a, b: (
            f"at 4,096 tokens: {_denser(a):,.0f} × for 8B in bf16, {_denser(b):,.0f} × for 70B in fp8"
        ),
        lambda a, b: _denser(a) > 900 and _denser(b) > 900,
    ),
    Claim(
        "This is not an inefficiency that can be tuned away",
        PARTLY,
        "batching and quantisation change it, as 3.4 and 3.5 say",
        ("two", "bf16"),
        lambda a, b: (
            f"70B on two H100, tokens/s: {b['alone']['tokens_per_s']:.0f} alone in bf16, "
            f"{a['alone']['tokens_per_s']:.0f} in fp8, {a['full']['tokens_per_s']:,.0f} at batch "
            f"{a['full']['sequences']}"
        ),
        lambda a, b: a["full"]["tokens_per_s"] > 50 * b["alone"]["tokens_per_s"],
    ),
    Claim(
        "MI300X: 5.3 TB/s and 192 GB; H100: 3.35 TB/s and 80 GB",
        HOLDS,
        "the sizes are labels: a process sees a little more",
        ("roofs",),
        lambda a: "; ".join(
            f"{name}: {bandwidth(a, name):.2f} TB/s, {hardware(a, name)['hbm_bytes'] / 1e9:.1f}·10⁹ bytes"
            for name in ("mi300x", "h100-sxm")
        ),
        lambda a: near(bandwidth(a, "mi300x"), 5.3, 0.01) and near(bandwidth(a, "h100-sxm"), 3.35, 0.01),
    ),
    Claim(
        "The MI300X decodes meaningfully better",
        PARTLY,
        "by the datasheets; no kernel table of it was found, so the cost model assumes an H100's efficiency",
        ("one",),
        lambda a: (
            f"70B in fp8 at batch 1, tokens/s: {speed(a, 'mi300x')['ideal_decode']:.1f} against "
            f"{speed(a, 'h100-sxm')['ideal_decode']:.1f} ideal, {speed(a, 'mi300x')['decode']:.1f} (assumed) "
            f"against {speed(a, 'h100-sxm')['decode']:.1f}"
        ),
        lambda a: times(a, "ideal_decode", "mi300x") > 1.5 and speed(a, "mi300x")["kind"] == "assumed",
    ),
    Claim(
        "… despite the H100's superior raw compute",
        WRONG,
        "by both datasheets the MI300X has more of it, dense against dense",
        ("roofs",),
        lambda a: "; ".join(
            f"{dtype}: {peak(a, 'mi300x', dtype):,.0f} against {peak(a, 'h100-sxm', dtype):,.0f} TFLOPS"
            for dtype in ("bf16", "fp8")
        ),
        lambda a: peak(a, "mi300x") > 1.3 * peak(a, "h100-sxm"),
    ),
    Claim(
        "The comparison reverses for prefill",
        WRONG,
        "by the datasheets; only kernels that reach less of their peak than an H100's would turn it",
        ("one",),
        lambda a: (
            f"tokens/s ideal: {speed(a, 'mi300x')['ideal_prefill']:,.0f} against "
            f"{speed(a, 'h100-sxm')['ideal_prefill']:,.0f}, {times(a, 'ideal_prefill', 'mi300x'):.2f} ×"
        ),
        lambda a: times(a, "ideal_prefill", "mi300x") > 1.25,
    ),
    Claim(
        "Figure 3.3.2: prefill well above 295 FLOP/byte, decode at roughly 2",
        HOLDS,
        "drawn below",
        ("one",),
        lambda a: f"{a['prefill']['intensity']:,.0f} and {a['alone']['intensity']:.2f} FLOP/byte",
        lambda a: a["prefill"]["intensity"] > 2 * 295 and near(a["alone"]["intensity"], 2),
    ),
    Claim(
        "At batch 1 the cores are about 98 % idle",
        WRONG,
        "far more: an intensity of 2 under fp8's ridge",
        ("one",),
        lambda a: f"{1 - _ideal_use(a):.1%} idle ideally, {1 - a['alone']['mfu']:.1%} by the cost model",
        lambda a: a["alone"]["mfu"] < _ideal_use(a) < 0.004,
    ),
    Claim(
        "Larger batches never carry decode past the ridge",
        WRONG,
        "the layers' matrices cross it at the same number of tokens as a prefill's; attention never does",
        ("one", "bf16"),
        lambda a, b: f"bound by compute: in fp8 {_crossing(a)}, in bf16 {_crossing(b)}",
        lambda a, b: a["crossing"]["ideal_tokens"] < 512 and b["crossing"]["ideal_tokens"] < 512,
    ),
    Claim(
        "A RAG pipeline spends 80 % of its compute time in prefill",
        PARTLY,
        "a choice of example; RAGPulse's requests spend less, before a prefix cache spares any of it",
        ("rag", "chat"),
        lambda a, b: f"8B on an H100: {_in_prefill(a)}; conversation (Azure 2023): {_in_prefill(b)}",
        lambda a, b: 0.4 < a["bills"][0]["prefill_share"] < 0.8,
    ),
    Claim(
        "Code generation spends 80 % of it in decode",
        WRONG,
        "not code completion as Azure served it in 2023: long prompts, short answers",
        ("code",),
        lambda a: f"8B on an H100: {_in_prefill(a)}",
        lambda a: a["bills"][0]["prefill_share"] > 0.8,
    ),
)


def _largest(found: Answer) -> float:
    """Bytes of one layer's gate and up projections, both ranks together."""
    return float(next(op["bytes"] for op in found["ops"] if op["op"] == "gate_up") / 80)


def _denser(found: Answer) -> float:
    return float(found["prefill"]["intensity"] / found["alone"]["intensity"])


def _ideal_use(found: Answer) -> float:
    return float(found["alone"]["flops"] / found["alone"]["ideal_s"] / found["roof"]["flops_per_s"])


def _crossing(found: Answer) -> str:
    crossing = found["crossing"]
    return f"from {crossing['ideal_tokens']} requests on ({crossing['reached_tokens']} as reached)"


def _in_prefill(found: Answer) -> str:
    traffic = found["traffic"]
    lengths = f"{traffic['prompt_tokens']:,.0f} tokens in, {traffic['output_tokens']:,.0f} out"
    return f"{found['bills'][0]['prefill_share']:.0%} of the time in prefill ({lengths})"
