"""The study's tables, the same on every medium."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.report.charts import Table
from simulator.report.roofline import words
from simulator.report.terminal import number, share
from simulator.study.roofline.formats import Format, Gain
from simulator.study.roofline.hardware import Hardware
from simulator.study.roofline.roofs import Roof
from simulator.study.roofline.steps import ATTENTION, LAYERS, Part, Step
from simulator.study.roofline.study import Answer
from simulator.study.roofline.traffic import Bill

TOO_SMALL, TOO_LARGE, CANNOT = "too small", "too large", "cannot"
Cells = tuple[str, ...]


def roofs(some: Iterable[Roof]) -> Table:
    head = ("", "dtype", "TFLOPS dense", "TB/s", "ridge", "reached: TFLOPS", "TB/s", "ridge", "by", "error")
    return Table(head, [_roof(roof) for roof in some], (0, 1, 8))


def _roof(roof: Roof) -> Cells:
    return (
        roof.accelerator,
        roof.dtype,
        f"{roof.flops_per_s / 1e12:,.0f}",
        f"{roof.bytes_per_s / 1e12:.2f}",
        f"{roof.ridge:.0f}",
        f"{roof.reached_flops_per_s / 1e12:,.0f}",
        f"{roof.reached_bytes_per_s / 1e12:.2f}",
        f"{roof.reached_ridge:.0f}",
        roof.kind,
        f"{roof.median_pct:.3g} %",
    )


def points(steps: Iterable[Step], gpus: int, apart: Sequence[Step]) -> Table:
    """Operating points; TFLOPS and TB/s of one accelerator. apart: steps whose layers and attention are shown
    too."""
    head = ("", "FLOP/byte", "ideal ms", "ms", "TFLOPS", "of peak", "TB/s", "of peak", "bound by")
    rows = []
    for step in steps:
        rows.append(_point(step, gpus))
        rows += [_part(step.part(name), gpus) for name in (LAYERS, ATTENTION) if step in apart]
    return Table(head, rows, (0, 8))


def _point(step: Step, gpus: int) -> Cells:
    flops, moved = _rates(step.flops, step.bytes, step.seconds * gpus)
    times = f"{1e3 * step.ideal_s:,.2f}", f"{1e3 * step.seconds:,.2f}"
    shares = share(step.mfu), share(step.mbu)
    name = words.step(step)
    return name, number(step.intensity), *times, flops, shares[0], moved, shares[1], words.bound(step)


def _part(part: Part, gpus: int) -> Cells:
    flops, moved = _rates(part.flops, part.bytes, part.seconds * gpus)
    times = f"{1e3 * part.ideal_s:,.2f}", f"{1e3 * part.seconds:,.2f}"
    return f"  {part.name}", number(part.intensity), *times, flops, "", moved, "", part.bound


def _rates(flops: float, moved: float, seconds: float) -> tuple[str, str]:
    return number(flops / seconds, 1e-12), number(moved / seconds, 1e-12)


def curve(found: Answer) -> Table:
    head = ("batch", "ideal ms", "tok/s", "ms", "tok/s", "of linear", "one more adds", "zone", "KV room")
    rows = [
        (
            f"{row.step.sequences:,}",
            f"{1e3 * row.step.ideal_s:.2f}",
            number(row.step.ideal_tokens_per_s),
            f"{1e3 * row.step.seconds:.2f}",
            number(row.step.tokens_per_s),
            share(row.of_linear),
            share(row.one_more),
            row.zone,
            "" if row.held else TOO_SMALL,
        )
        for row in found.curve.rows
    ]
    return Table(head, rows, (7, 8))


def prefills(steps: Iterable[Step]) -> Table:
    head = ("prompts", "tokens", "ideal ms", "ms", "tok/s", "of peak", "bound by")
    rows = [
        (
            str(step.sequences),
            f"{step.tokens:,}",
            f"{1e3 * step.ideal_s:,.1f}",
            f"{1e3 * step.seconds:,.1f}",
            number(step.tokens_per_s),
            share(step.mfu),
            words.bound(step),
        )
        for step in steps
    ]
    return Table(head, rows, (6,))


def formats(some: Iterable[Format]) -> Table:
    head = ("", "W/A", "weights GB", "fits at TP", "prefill ideal", "×", "decode ideal", "×")
    return Table((*head, "full ideal", "×", ""), [_format(each) for each in some], (0, 1, 10))


def _format(each: Format) -> Cells:
    return (
        each.name,
        f"{each.weights}/{each.activations}",
        f"{each.weight_bytes / 1e9:.1f}",
        str(each.needs or "–"),
        *_gain(each.prefill),
        *_gain(each.decode),
        *_gain(each.decode_full),
        CANNOT if each.runs else "" if each.fits else TOO_LARGE,
    )


def _gain(gain: Gain | None) -> tuple[str, str]:
    return (f"{gain.ideal:.2f}", f"{gain.seconds:.2f}") if gain else ("–", "–")


def datasheets(rows: Iterable[Hardware]) -> Table:
    head = ("", "$/h", "dtype", "TFLOPS", "TB/s", "GB", "TFLOPS per $/h", "TB/s per $/h", "GB per $/h")
    return Table(head, [_datasheet(row) for row in rows], (0, 2))


def _datasheet(row: Hardware) -> Cells:
    return (
        row.accelerator,
        f"{row.price_usd_per_hour:.2f}{'*' if 'assumed' in row.price_source else ''}",
        row.dtype,
        f"{row.flops_per_s / 1e12:,.0f}",
        f"{row.bytes_per_s / 1e12:.2f}",
        f"{row.hbm_bytes / 1e9:.0f}",
        number(row.flops_per_s_per_usd_hour, 1e-12),
        number(row.bytes_per_s_per_usd_hour, 1e-12),
        number(row.hbm_bytes_per_usd_hour, 1e-9),
    )


def speeds(rows: Sequence[Hardware]) -> Table:
    head = ("", "quantization", "TP", "KV tokens", "prefill ideal", "tok/s", "decode ideal", "tok/s")
    return Table((*head, "full ideal", "tok/s", "by"), [_speed(row) for row in rows], (0, 1, 10))


def _speed(row: Hardware) -> Cells:
    speed = row.speed
    if speed is None:
        return row.accelerator, CANNOT, *[""] * 9
    return (
        row.accelerator,
        speed.quantization,
        str(speed.gpus),
        f"{speed.kv_tokens:,}",
        number(speed.ideal_prefill),
        number(speed.prefill),
        number(speed.ideal_decode),
        number(speed.decode),
        number(speed.ideal_decode_full),
        number(speed.decode_full) if speed.full_fits else TOO_SMALL,
        speed.kind,
    )


def bills(some: Iterable[Bill]) -> Table:
    head = ("", "quantization", "TP", "batch", "limited by", "step ms", "prefill", "decode")
    return Table((*head, "$/M output", "of it prefill", "by"), [_bill(bill) for bill in some], (0, 1, 4, 10))


def _bill(bill: Bill) -> Cells:
    return (
        bill.accelerator,
        bill.quantization,
        str(bill.gpus),
        str(bill.batch),
        bill.limited_by,
        number(bill.tpot_s, 1e3),
        share(bill.prefill_share),
        share(1 - bill.prefill_share),
        number(bill.usd),
        number(bill.prefill_usd),
        bill.kind,
    )
