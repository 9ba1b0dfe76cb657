"""3.1 and 3.2: the roof, and prefill under it."""

from __future__ import annotations

from claims.claim import (
    HOLDS,
    PARTLY,
    WRONG,
    Answer,
    Claim,
    bandwidth,
    intensity,
    length,
    near,
    part,
    peak,
    roof,
    times,
)

LENGTHS = (128, 512, 1024, 4096)
ROOF = (
    Claim(
        "Intensity is TFLOPs over bytes",
        PARTLY,
        "the idea holds, the unit is FLOP/byte: with TFLOP it is off by 10¹²",
        ("8b",),
        lambda a: (
            f"{a['prefill']['flops'] / 1e12:.0f} TFLOP over {a['prefill']['bytes'] / 1e9:.0f} GB is "
            f"{a['prefill']['intensity']:,.0f} FLOP/byte"
        ),
        lambda a: near(a["prefill"]["flops"] / a["prefill"]["bytes"], a["prefill"]["intensity"], 1e-9),
    ),
    Claim(
        "An H100 SXM has 989 TFLOPS “(TF32)”",
        WRONG,
        "989 is the dense BF16 figure, or TF32 with sparsity; dense TF32 is 494.7 (`sim show h100-sxm`)",
        ("roofs", "show"),
        lambda a, _: f"dense: bf16 {peak(a, 'h100-sxm'):,.1f}, fp8 {peak(a, 'h100-sxm', 'fp8'):,.1f} TFLOPS",
        lambda a, show: (
            near(peak(a, "h100-sxm"), 989, 0.001)
            and "dense TF32 is 494.7" in show["accelerators"]["sources"]["notes"]
        ),
    ),
    Claim(
        "… and 3.35 TB/s",
        HOLDS,
        "",
        ("roofs",),
        lambda a: f"{bandwidth(a, 'h100-sxm'):.2f} TB/s",
        lambda a: near(bandwidth(a, "h100-sxm"), 3.35, 0.001),
    ),
    Claim(
        "Its ridge is about 295 FLOP/byte",
        PARTLY,
        "for bf16 by the datasheet; fp8 has twice that, and what kernels reach is another number",
        ("roofs",),
        lambda a: f"bf16 {_ridge(a, 'bf16')}; fp8 {_ridge(a, 'fp8')}",
        lambda a: (
            near(roof(a, "h100-sxm")["ridge"], 295, 0.01)
            and near(roof(a, "h100-sxm", "fp8")["ridge"], 2 * 295, 0.01)
        ),
    ),
    Claim(
        "Figure 3.1: the roof of an H100, bent at 295",
        HOLDS,
        "drawn below for fp8, by the datasheet and as reached; `--html FILE` draws the chart",
        ("one",),
        lambda a: (
            f"flat at {a['roof']['flops_per_s'] / 1e12:,.0f} TFLOPS from "
            f"{a['roof']['ridge']:.0f} on; reached: {a['roof']['reached_flops_per_s'] / 1e12:,.0f}, "
            f"bending around {a['roof']['reached_ridge']:.0f}"
        ),
        lambda a: a["roof"]["reached_flops_per_s"] < a["roof"]["flops_per_s"],
    ),
    Claim(
        "No software optimisation lifts an operation above the roof",
        PARTLY,
        "of HBM traffic, yes; but narrower formats move the operation and the roof, as 3.5 says",
        ("bf16", "two"),
        lambda a, b: f"one decode of 70B: in bf16 {_under(a)}, in fp8 {_under(b)}",
        lambda a, b: b["alone"]["intensity"] > 1.8 * a["alone"]["intensity"],
    ),
    Claim(
        "Below the ridge more TFLOPS do nothing, above it faster HBM does nothing",
        PARTLY,
        "for one operation; a step is a sum of operations on both sides, with fixed costs",
        ("one", "roofs"),
        lambda a, b: (
            "an H200 has an H100's TFLOPS and "
            f"{bandwidth(b, 'h200-sxm') / bandwidth(b, 'h100-sxm'):.2f} × its bandwidth: one decode is "
            f"{times(a, 'decode', 'h200-sxm'):.2f} × as fast, "
            f"a prefill {times(a, 'prefill', 'h200-sxm'):.2f} ×"
        ),
        lambda a, b: 1 < times(a, "prefill", "h200-sxm") < times(a, "decode", "h200-sxm") < 1.43,
    ),
)
PREFILL = (
    Claim(
        "Prefill lands well above the ridge",
        PARTLY,
        "if the step has enough tokens: a short prompt alone stays below",
        ("one", "8b-short"),
        lambda a, b: (
            f"70B in fp8: its layers are bound by compute from {a['crossing']['ideal_tokens']} "
            f"tokens on, and 4,096 work at {a['prefill']['intensity']:,.0f} FLOP/byte; 8B in bf16: 128 at "
            f"{b['prefill']['intensity']:,.0f}"
        ),
        lambda a, b: (
            a["prefill"]["intensity"] > a["roof"]["ridge"] and b["prefill"]["intensity"] < b["roof"]["ridge"]
        ),
    ),
    Claim(
        "It saturates compute at batch size 1",
        PARTLY,
        "from prompts of about a thousand tokens on",
        ("8b",),
        lambda a: (
            "8B, bf16, thousand tokens/s: "
            + ", ".join(f"{length(a, n)['tokens_per_s'] / 1e3:.1f} at {n:,}" for n in LENGTHS)
        ),
        lambda a: a["prefills"]["saturated_tokens"] == 1024,
    ),
    Claim(
        "A 4K-token prompt fully occupies an H100's CUDA cores",
        PARTLY,
        "in effect; the arithmetic runs on tensor cores, and no kernel reaches their whole peak",
        ("8b",),
        lambda a: (
            f"{a['prefill']['mfu']:.0%} of the bf16 peak over the whole prefill, "
            f"{_of_peak(a):.0%} in the layers"
        ),
        lambda a: 0.5 < a["prefill"]["mfu"] < _of_peak(a) < 0.9,
    ),
    Claim(
        "More concurrent prefills add no throughput, they amortise fixed overhead",
        PARTLY,
        "for long prompts; short ones share the reading of the weights too",
        ("8b", "8b-short"),
        lambda a, b: (
            f"16 prompts together: {_together(a):.2f} × the tokens/s of one at 4,096 tokens each, "
            f"{_together(b):.2f} × at 128"
        ),
        lambda a, b: _together(a) < 1.05 and _together(b) > 2,
    ),
    Claim(
        "Figure 3.2: one large matrix product reuses each weight for every token",
        HOLDS,
        "",
        ("8b",),
        lambda a: (
            f"8B, bf16, 4,096 tokens: its layers' matrices work at {intensity(a['prefill'], 'layers'):,.0f} "
            f"FLOP/byte, the whole prefill at {a['prefill']['intensity']:,.0f}"
        ),
        lambda a: intensity(a["prefill"], "layers") > 5 * a["roof"]["ridge"],
    ),
    Claim(
        "989 TFLOPS against an A100's 312, both BF16 dense",
        HOLDS,
        "",
        ("roofs",),
        lambda a: (
            f"{peak(a, 'h100-sxm'):,.1f} and {peak(a, 'a100-sxm-80'):,.1f}: "
            f"{peak(a, 'h100-sxm') / peak(a, 'a100-sxm-80'):.2f} ×"
        ),
        lambda a: near(peak(a, "h100-sxm"), 989, 0.001) and near(peak(a, "a100-sxm-80"), 312, 0.001),
    ),
    Claim(
        "The H100 completes the same prefill roughly 3 × faster",
        HOLDS,
        "",
        ("8b",),
        lambda a: f"{1 / times(a, 'prefill', 'a100-sxm-80'):.2f} × at 4,096 tokens (8B, bf16)",
        lambda a: near(1 / times(a, "prefill", "a100-sxm-80"), 3, 0.1),
    ),
    Claim(
        "The difference in bandwidth is proportionally much smaller",
        HOLDS,
        "",
        ("roofs",),
        lambda a: f"{bandwidth(a, 'h100-sxm') / bandwidth(a, 'a100-sxm-80'):.2f} ×",
        lambda a: bandwidth(a, "h100-sxm") / bandwidth(a, "a100-sxm-80") < 2,
    ),
)


def _ridge(found: list[Answer], dtype: str) -> str:
    each = roof(found, "h100-sxm", dtype)
    return f"{each['ridge']:.1f}, as reached {each['reached_ridge']:.0f}"


def _under(found: Answer) -> str:
    return (
        f"{found['alone']['intensity']:.2f} FLOP/byte under {found['roof']['flops_per_s'] / 1e12:,.0f} TFLOPS"
    )


def _of_peak(found: Answer) -> float:
    """Of the prefill's layers."""
    layers = part(found["prefill"], "layers")
    return float(layers["flops"] / layers["seconds"] / found["roof"]["flops_per_s"])


def _together(found: Answer) -> float:
    several = found["prefills"]["by_prompts"]
    return float(several[-1]["tokens_per_s"] / several[0]["tokens_per_s"])
