"""docs/accuracy-kernels.md: how well kernel times are predicted, by formula, corrected, and with another's
fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.catalog import fits, load
from simulator.cost import correction, efficiency, rows
from simulator.study import kernel_tables, whole_steps
from simulator.study.kernel_tables import Group
from simulator.study.validate_kernels import Line, Report, headline, main_rows, validate

# What the main figures are over, and how good they should be: per cent by formula, and corrected.
TARGETS = (
    ("gemm", "bf16", 6.5, 5.0),
    ("gemm", "fp8", 13.0, 7.0),
    ("gemm", "fp8_block", 16.0, 7.0),
    ("attention_prefill", "", 8.0, 4.0),
    ("attention_decode", "", 8.0, 4.5),
    ("moe", "", 11.0, 7.0),
)
MEASURED = ("h100-sxm", "h200-sxm", "a100-sxm-80", "b200", "l40s", "rtx-pro-6000-server")
TRANSFERS = (
    ("gemm", "bf16"),
    ("gemm", "fp8"),
    ("attention_prefill", "bf16"),
    ("attention_decode", "bf16"),
    ("moe", "bf16"),
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Main rows of `target` predicted with the fit to `source`: median error in per cent and bias."""

    op: str
    dtype: str
    source: str
    target: str
    median_pct: float
    bias: float


def page(paths: list[str]) -> str:
    """The whole page, from the measured tables among the files and folders."""
    formula, corrected = validate(paths, False), validate(paths, True)
    groups = [group for file in kernel_tables.files(paths) for group in kernel_tables.read(file)]
    parts = [_head(formula, corrected), _targets(formula, corrected), _steps()]
    parts += [_transfer(list(transfers(groups))), _all(formula, corrected), _uncovered(formula)]
    return "\n".join(parts)


def transfers(groups: Sequence[Group]) -> Iterator[Transfer]:
    """Every pair of measured accelerators, vLLM's kernels with a 16-bit cache."""
    for group in groups:
        wanted = (group.op, group.dtype) in TRANSFERS and group.kv_dtype in ("", "bf16")
        if not wanted or group.backend != "vllm" or group.accelerator not in MEASURED:
            continue
        for source in MEASURED:
            found = _with_fit_of(group, source)
            if found is not None:
                yield found


def _with_fit_of(group: Group, source: str) -> Transfer | None:
    hardware, keep = load("accelerators", group.accelerator), main_rows(group)
    ratios = []
    for row, seconds, kept in zip(group.rows(), group.seconds, keep):
        if not kept:
            continue
        op = rows.OPS[group.op](row, group.dtype, hardware)
        fit = fits.exact(group.op, source, "vllm", group.dtype, *correction.attention_key(op))
        if fit is None:
            return None
        ratios.append(efficiency.of_fit(fit, hardware, rows.peak(group.dtype)).seconds(op) / seconds)
    if not ratios:
        return None
    median = float(np.median(np.abs(np.array(ratios) - 1.0)) * 100)
    return Transfer(group.op, group.dtype, source, group.accelerator, median, float(np.median(ratios)))


def _head(formula: Report, corrected: Report) -> str:
    (plain, count), (better, _) = formula.overall(), corrected.overall()
    return f"""# How well kernel times are predicted

Written by `sim validate kernels MEASURED --page docs/accuracy-kernels.md`, where MEASURED is a folder of
kernel tables (columns as in [cost-model.md](cost-model.md#measured-kernels)). The tables behind this page:
{count:,} rows of aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA) and microsoft/vidur 7d475133 (MIT). Errors
are |predicted / measured - 1| in per cent; bias is the median of predicted / measured. *Corrected* scales
the formula by measured rows near each row; rows of the row's own shape don't count.

Over all {count:,} rows: **{plain:.2f} %** by formula, **{better:.2f} %** corrected.
"""


def _targets(formula: Report, corrected: Report) -> str:
    lines = [
        "## Main figures",
        "",
        "Median over the fits of the median error, vLLM on H100, H200, A100 and B200: GEMMs with n and k",
        "of at least 1024, attention with heads of 64 or 128 and no window, balanced experts. In brackets",
        "the fits one by one.",
        "",
        "| op | by formula | aim | corrected | aim |",
        "| --- | --- | --- | --- | --- |",
    ]
    for op, dtype, plain_aim, aim in TARGETS:
        plain, all_plain = headline(formula.lines, op, dtype)
        better, all_better = headline(corrected.lines, op, dtype)
        cells = [f"{op} {dtype}".strip(), f"**{plain:.1f}** ({_list(all_plain)})", f"{plain_aim:g}"]
        lines.append(_row([*cells, f"**{better:.1f}** ({_list(all_better)})", f"{aim:g}"]))
    return "\n".join([*lines, ""])


def _steps() -> str:
    lines = [
        "## Whole decode steps",
        "",
        "Time per output token that public reports measured on H100 SXM, against one pure decode step at",
        "the reported mean number of sequences and context. A measured step also holds the prefills in it.",
        "",
        "| report | model | GPUs | sequences | context | measured ms | formula | corrected | overhead |",
        _row(["---"] * 9),
    ]
    for found in whole_steps.compare():
        report = found.report
        name = report.model + ("" if report.quantization == "none" else f" {report.quantization}")
        cells = [report.source, name, str(report.gpus), str(report.sequences), str(report.context)]
        cells += [
            f"{report.tpot_ms:.2f}",
            _against(found.formula_ms, report),
            _against(found.corrected_ms, report),
        ]
        lines.append(_row([*cells, f"{found.overhead_ms:.2f}"]))
    return "\n".join([*lines, ""])


def _against(milliseconds: float, report: whole_steps.Report) -> str:
    return f"{milliseconds:.2f} ({milliseconds / report.tpot_ms - 1:+.1%})"


def _transfer(found: list[Transfer]) -> str:
    lines = [
        "## Fitted on one accelerator, used on another",
        "",
        "The row's fit with the column's own datasheet peaks, uncorrected, over the column's main rows:",
        "median error in per cent (bias). This is what predicting an accelerator without measurements costs.",
        "",
    ]
    for op, dtype in TRANSFERS:
        cells = {(t.source, t.target): t for t in found if (t.op, t.dtype) == (op, dtype)}
        if not cells:
            continue
        targets = [name for name in MEASURED if any(target == name for _, target in cells)]
        lines += [f"### {op} {dtype}", "", _row(["fit of", *targets]), _row(["---"] * (len(targets) + 1))]
        for source in MEASURED:
            if any(name == source for name, _ in cells):
                each = [cells.get((source, target)) for target in targets]
                lines.append(
                    _row([source, *(f"{t.median_pct:.1f} ({t.bias:.2f})" if t else "" for t in each)])
                )
        lines.append("")
    return "\n".join(lines)


def _all(formula: Report, corrected: Report) -> str:
    lines = [
        "## All rows",
        "",
        "Median and 90th percentile of the error, and bias.",
        "",
        "| op | accelerator | backend | dtype | rows of | rows | by formula | corrected |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for plain, better in zip(formula.lines, corrected.lines):
        cells = [
            plain.op,
            plain.accelerator,
            plain.backend,
            plain.dtype,
            plain.kind,
            f"{len(plain.ratios):,}",
        ]
        lines.append(_row([*cells, _figures(plain), _figures(better)]))
    return "\n".join([*lines, ""])


def _uncovered(report: Report) -> str:
    lines = ["## Rows without a fit", ""]
    lines += [f"- {count:,} rows: {reason}" for reason, count in sorted(report.uncovered.items())]
    return "\n".join([*lines, ""])


def _figures(line: Line) -> str:
    figures: dict[str, Any] = line.figures()
    return f"{figures['median_pct']:.1f}, {figures['p90_pct']:.1f}, {figures['bias']:.2f}"


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
