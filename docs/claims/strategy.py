"""3.5: hardware and quantisation."""

from __future__ import annotations

from claims.claim import (
    HOLDS,
    OPEN,
    PARTLY,
    WRONG,
    Answer,
    Claim,
    bandwidth,
    formats,
    hardware,
    near,
    peak,
    roof,
    speed,
    step,
    times,
    weights,
)

HARDWARE = (
    Claim(
        "H100: 989 TFLOPS TF32, 1,979 BF16 with sparsity",
        PARTLY,
        "the first is BF16 dense; the second holds, and is the dense figure of fp8 too: a dense "
        "figure beside a sparse one errs by 2",
        ("roofs",),
        lambda a: f"dense: bf16 {peak(a, 'h100-sxm'):,.1f}, fp8 {peak(a, 'h100-sxm', 'fp8'):,.1f}",
        lambda a: near(peak(a, "h100-sxm", "fp8"), 1979, 0.001),
    ),
    Claim(
        "B200: 2,250 TFLOPS BF16 dense, 4,500 with sparsity",
        HOLDS,
        "4,500 is again the dense figure of fp8",
        ("roofs",),
        lambda a: (
            f"dense: bf16 {peak(a, 'b200'):,.0f}, fp8 {peak(a, 'b200', 'fp8'):,.0f}; bf16 as reached "
            f"{roof(a, 'b200')['reached_flops_per_s'] / 1e12:,.0f}"
        ),
        lambda a: near(peak(a, "b200"), 2250, 0.001) and near(peak(a, "b200", "fp8"), 4500, 0.001),
    ),
    Claim(
        "MI300X against H100: about 58 % more bandwidth",
        HOLDS,
        "5.3 over 3.35; a point more with AMD's 5.325",
        ("roofs",),
        lambda a: f"{bandwidth(a, 'mi300x') / bandwidth(a, 'h100-sxm') - 1:.0%}",
        lambda a: near(bandwidth(a, "mi300x") / bandwidth(a, "h100-sxm"), 1.58, 0.01),
    ),
    Claim(
        "192 GB against 80: larger KV budgets without tensor parallelism",
        HOLDS,
        "the larger effect of the two",
        ("one",),
        lambda a: (
            f"KV tokens beside 70B in fp8: {speed(a, 'mi300x')['kv_tokens']:,} against "
            f"{speed(a, 'h100-sxm')['kv_tokens']:,}"
        ),
        lambda a: times(a, "kv_tokens", "mi300x") > 20,
    ),
    Claim(
        "H200: 4.8 TB/s and 141 GB, the upgrade for decode",
        HOLDS,
        "fixed costs keep a part of the gain",
        ("one", "roofs"),
        lambda a, b: (
            f"{bandwidth(b, 'h200-sxm') / bandwidth(b, 'h100-sxm'):.2f} × the bandwidth, "
            f"{times(a, 'decode', 'h200-sxm'):.2f} × the tokens/s at batch 1, KV room for "
            f"{speed(a, 'h200-sxm')['kv_tokens']:,} tokens"
        ),
        lambda a, b: near(bandwidth(b, "h200-sxm"), 4.8, 0.001) and times(a, "decode", "h200-sxm") > 1.2,
    ),
    Claim(
        "Decode: bandwidth per dollar rather than TFLOPS per dollar",
        PARTLY,
        "as long as memory holds the batch. Prices are a snapshot of lists, the MI300X's is assumed; "
        "`--price NAME=USD` replaces them",
        ("roofs",),
        lambda a: "TB/s and bf16 TFLOPS per $/h: " + ", ".join(map(_per_dollar, a)),
        lambda a: hardware(a, "mi300x")["price_source"].startswith("assumed"),
    ),
    Claim(
        "Weigh the comparison by the fraction of time in prefill and in decode",
        HOLDS,
        "this is what `--traffic` does, from a trace or from lengths",
        ("chat",),
        lambda a: (
            f"Azure conversation 2023, 8B on an H100: {a['bills'][0]['prefill_share']:.0%} in prefill, "
            f"${a['bills'][0]['usd']:.2f} per million output tokens at batch {a['bills'][0]['batch']}"
        ),
        lambda a: 0.3 < a["bills"][0]["prefill_share"] < 0.8,
    ),
    Claim(
        "Headline benchmarks are almost always measured under prefill-favourable conditions",
        OPEN,
        "no source is given",
        (),
        lambda: "–",
        lambda: True,
    ),
)
QUANTISATION = (
    Claim(
        "FP16 to FP8 or INT8 halves the bytes of a weight load",
        HOLDS,
        "of the layers; embeddings and the output matrix stay 16 bits",
        ("bf16",),
        lambda a: f"70B: {weights(a, 'none'):.1f} to {weights(a, 'fp8'):.1f} GB",
        lambda a: near(weights(a, "fp8") / weights(a, "none"), 0.5),
    ),
    Claim(
        "FP8 decode approaches 2 × FP16",
        PARTLY,
        "as a limit, for large layers, few requests and short contexts",
        ("bf16", "two", "8b"),
        lambda a, b, c: (
            f"70B on two H100: {_decode(a, 'fp8')} at batch 1, "
            f"{step(a, 128)['seconds'] / step(b, 128)['seconds']:.2f} × by the cost model at 128; 8B on one: "
            f"{_decode(c, 'fp8')}"
        ),
        lambda a, b, c: (
            near(formats(a, "fp8")["decode"]["ideal"], 2, 0.03)
            and formats(a, "fp8")["decode"]["seconds"] < 1.8
        ),
    ),
    Claim(
        "The same quantisation does not raise prefill's TFLOPS",
        WRONG,
        "for formats that multiply narrow numbers; it holds for those that only store them",
        ("bf16", "a100", "b200"),
        lambda a, b, c: (
            f"70B, 4,096 tokens: fp8 on H100 {_prefill(a, 'fp8')}, int8 on A100 "
            f"{_prefill(b, 'int8')}, fp4 on B200 {_prefill(c, 'fp4')}; w8a16 {_prefill(a, 'w8a16')}, "
            f"int4 {_prefill(a, 'int4')}"
        ),
        lambda a, b, c: (
            formats(a, "fp8")["prefill"]["seconds"] > 1.1
            and near(formats(a, "w8a16")["prefill"]["seconds"], 1, 0.02)
            and formats(c, "fp4")["prefill"]["seconds"] > 1.5
        ),
    ),
    Claim(
        "It saves VRAM, for larger batches or longer contexts",
        HOLDS,
        "",
        ("bf16", "two"),
        lambda a, b: (
            f"KV room of two H100 beside 70B: {a['fit']['kv_tokens']:,} tokens in bf16, "
            f"{b['fit']['kv_tokens']:,} in fp8"
        ),
        lambda a, b: b["fit"]["kv_tokens"] > 5 * a["fit"]["kv_tokens"],
    ),
)


def _per_dollar(row: Answer) -> str:
    moved, flops = row["bytes_per_s_per_usd_hour"] / 1e12, row["flops_per_s_per_usd_hour"] / 1e12
    return f"{row['accelerator']} {moved:.2f} and {flops:.0f}"


def _decode(found: Answer, name: str) -> str:
    return _gain(formats(found, name)["decode"])


def _prefill(found: Answer, name: str) -> str:
    return _gain(formats(found, name)["prefill"])


def _gain(gain: Answer) -> str:
    return f"{gain['ideal']:.2f} × ideal and {gain['seconds']:.2f} ×"
