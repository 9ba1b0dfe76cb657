"""Some dozens of measured kernel times, held as facts: what the formula and the correction make of them.

Rows of aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA), drawn at random from vLLM's tables; microseconds.
"""

from __future__ import annotations

import numpy as np
import pytest

from simulator.catalog import load
from simulator.cost import correction, rows
from simulator.cost.ops import Op

GEMMS = [  # accelerator, format, m, n, k, us
    ("h100-sxm", "bf16", 2816, 6144, 8192, 330.62),
    ("h100-sxm", "bf16", 1536, 3584, 4096, 62.536),
    ("h100-sxm", "bf16", 32768, 2560, 65536, 15761.0),
    ("h100-sxm", "bf16", 32768, 2560, 7168, 1805.4),
    ("h100-sxm", "fp8", 49, 65536, 12288, 276.64),
    ("h100-sxm", "fp8", 2305, 3584, 5120, 125.4),
    ("h100-sxm", "fp8", 3841, 8192, 4096, 266.48),
    ("h100-sxm", "fp8", 192, 5120, 1024, 10.861),
    ("h200-sxm", "bf16", 2048, 2048, 5120, 51.753),
    ("h200-sxm", "bf16", 14, 6144, 5120, 18.967),
    ("h200-sxm", "bf16", 1280, 10240, 2048, 67.061),
    ("h200-sxm", "bf16", 16, 3584, 6144, 15.273),
    ("h200-sxm", "fp8", 8, 4096, 3072, 9.392),
    ("h200-sxm", "fp8", 161, 51200, 1536, 49.474),
    ("h200-sxm", "fp8", 512, 51200, 12288, 407.51),
    ("h200-sxm", "fp8", 192, 5120, 65536, 208.23),
    ("a100-sxm-80", "bf16", 192, 10240, 12288, 251.42),
    ("a100-sxm-80", "bf16", 128, 5120, 2560, 26.298),
    ("a100-sxm-80", "bf16", 8192, 2048, 1024, 164.73),
    ("a100-sxm-80", "bf16", 80, 1536, 16384, 47.18),
    ("b200", "bf16", 4097, 8192, 65536, 2771.2),
    ("b200", "bf16", 224, 5120, 2560, 9.0267),
    ("b200", "bf16", 9, 2048, 4096, 7.3218),
    ("b200", "bf16", 5, 2560, 10240, 12.314),
    ("b200", "fp8", 13, 51200, 12288, 99.152),
    ("b200", "fp8", 512, 2560, 10240, 29.971),
    ("b200", "fp8", 4096, 3584, 5120, 106.49),
    ("b200", "fp8", 1537, 65536, 5120, 449.73),
    ("l40s", "bf16", 225, 2048, 2560, 17.806),
    ("l40s", "bf16", 3072, 10240, 65536, 16486.0),
    ("l40s", "bf16", 7, 6144, 5120, 84.932),
    ("l40s", "bf16", 2560, 65536, 51200, 64963.0),
    ("l40s", "fp8", 224, 3072, 3072, 24.804),
    ("l40s", "fp8", 2561, 1536, 7168, 183.5),
    ("l40s", "fp8", 80, 1536, 1024, 9.7564),
    ("l40s", "fp8", 1536, 5120, 4096, 218.62),
]
# accelerator, op, cache format, sequences, tokens or keys each, query heads, KV heads, head size, us
ATTENTION = [
    ("h100-sxm", "attention_prefill", "bf16", 1, 10240, 40, 4, 64, 1119.2),
    ("h100-sxm", "attention_prefill", "bf16", 256, 512, 8, 4, 128, 1175.5),
    ("h100-sxm", "attention_prefill", "fp8", 1, 6144, 40, 4, 64, 431.92),
    ("h100-sxm", "attention_prefill", "bf16", 64, 512, 64, 4, 64, 677.57),
    ("h200-sxm", "attention_prefill", "bf16", 2, 10240, 8, 1, 128, 688.05),
    ("h200-sxm", "attention_prefill", "fp8", 1, 3072, 4, 4, 128, 81.205),
    ("h200-sxm", "attention_prefill", "bf16", 16, 3072, 1, 1, 64, 118.41),
    ("h200-sxm", "attention_prefill", "bf16", 256, 64, 20, 4, 128, 227.96),
    ("a100-sxm-80", "attention_prefill", "bf16", 2, 16384, 64, 64, 128, 49574.0),
    ("a100-sxm-80", "attention_prefill", "bf16", 64, 128, 4, 4, 128, 129.65),
    ("a100-sxm-80", "attention_prefill", "bf16", 8, 6144, 64, 1, 128, 28693.0),
    ("a100-sxm-80", "attention_prefill", "bf16", 4, 6144, 2, 1, 128, 592.1),
    ("b200", "attention_prefill", "fp8", 1, 32, 48, 2, 64, 10.987),
    ("b200", "attention_prefill", "bf16", 16, 512, 3, 1, 128, 25.355),
    ("b200", "attention_prefill", "fp8", 2, 3072, 48, 8, 128, 272.82),
    ("b200", "attention_prefill", "fp8", 32, 512, 64, 8, 128, 371.21),
    ("l40s", "attention_prefill", "fp8", 2, 1536, 48, 2, 128, 481.45),
    ("l40s", "attention_prefill", "bf16", 8, 2048, 5, 1, 128, 269.14),
    ("l40s", "attention_prefill", "bf16", 1, 1536, 40, 8, 128, 166.57),
    ("l40s", "attention_prefill", "fp8", 2, 256, 16, 16, 128, 36.693),
    ("h100-sxm", "attention_decode", "fp8", 1, 32, 16, 2, 128, 13.099),
    ("h100-sxm", "attention_decode", "bf16", 32, 32768, 10, 2, 128, 358.26),
    ("h100-sxm", "attention_decode", "fp8", 2048, 256, 12, 1, 64, 87.541),
    ("h100-sxm", "attention_decode", "fp8", 128, 512, 64, 2, 128, 33.44),
    ("h200-sxm", "attention_decode", "fp8", 1, 64, 24, 2, 128, 13.013),
    ("h200-sxm", "attention_decode", "fp8", 16, 1024, 48, 2, 128, 17.84),
    ("h200-sxm", "attention_decode", "fp8", 1, 2048, 6, 1, 128, 15.659),
    ("h200-sxm", "attention_decode", "bf16", 2, 32768, 48, 1, 64, 20.437),
    ("a100-sxm-80", "attention_decode", "bf16", 64, 4096, 32, 8, 128, 681.62),
    ("a100-sxm-80", "attention_decode", "bf16", 2048, 256, 4, 2, 128, 391.4),
    ("a100-sxm-80", "attention_decode", "bf16", 1, 128, 48, 1, 128, 12.805),
    ("a100-sxm-80", "attention_decode", "bf16", 512, 256, 8, 2, 128, 117.77),
    ("b200", "attention_decode", "fp8", 1, 32768, 12, 4, 64, 17.205),
    ("b200", "attention_decode", "bf16", 4, 65536, 40, 1, 64, 23.488),
    ("b200", "attention_decode", "bf16", 4, 2048, 24, 2, 128, 11.013),
    ("b200", "attention_decode", "fp8", 32, 32, 40, 1, 64, 10.709),
    ("l40s", "attention_decode", "bf16", 512, 256, 64, 8, 128, 915.63),
    ("l40s", "attention_decode", "fp8", 512, 512, 12, 2, 128, 212.99),
    ("l40s", "attention_decode", "bf16", 1, 1024, 32, 4, 128, 13.312),
    ("l40s", "attention_decode", "fp8", 1, 2048, 64, 4, 128, 13.653),
]


def test_gemms_are_as_long_as_measured() -> None:
    errors, corrected = [], []
    for name, dtype, m, n, k, us in GEMMS:
        op = rows.gemm({"m": m, "n": n, "k": k}, dtype, load("accelerators", name))
        _judge(op, name, dtype, us, errors, corrected)
    assert np.median(errors) < 0.12 and np.mean(np.array(errors) < 0.6) > 0.9
    assert np.median(corrected) < 0.07


def test_attention_is_as_long_as_measured() -> None:
    errors, corrected = [], []
    for name, kind, kv_dtype, batch, length, heads, kv, dim, us in ATTENTION:
        row = {
            "batch_size": batch,
            "q_len": length,
            "kv_len": length,
            "num_heads": heads,
            "num_key_value_heads": kv,
            "head_dim": dim,
            "window_size": 0,
            "kv_bytes": 1 if kv_dtype == "fp8" else 2,
        }
        _judge(rows.OPS[kind](row, "bf16", load("accelerators", name)), name, "bf16", us, errors, corrected)
    assert np.median(errors) < 0.12 and np.mean(np.array(errors) < 0.6) > 0.9
    assert np.median(corrected) < 0.07


def _judge(op: Op, name: str, dtype: str, us: float, errors: list[float], corrected: list[float]) -> None:
    seconds = correction.formula(op, name, "vllm", dtype)
    near = correction.residuals(op.kind, name, "vllm", dtype)
    assert near is not None
    shapes = np.array([op.shape])
    points = correction.coordinates(op.kind, shapes)
    factor = correction.factors(near, points, correction.identity(op.kind, shapes))[0]
    errors.append(abs(seconds / us * 1e6 - 1))
    corrected.append(abs(factor * seconds / us * 1e6 - 1))


@pytest.mark.parametrize(("m", "us"), [(257, 113.27), (512, 103.58)])
def test_fp8_pays_for_one_row_too_many(m: int, us: float) -> None:
    """H100, n 5120, k 16384: 257 rows take as long as 512."""
    op = rows.gemm({"m": m, "n": 5120, "k": 16384}, "fp8", load("accelerators", "h100-sxm"))
    assert correction.formula(op, "h100-sxm", "vllm", "fp8") * 1e6 == pytest.approx(us, rel=0.2)
