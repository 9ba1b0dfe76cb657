"""Formats, hardware, traffic and the whole answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import catalog
from simulator.catalog import Accelerator
from simulator.cost.work import Work
from simulator.errors import InputError
from simulator.scenario.serving import Names, model_spec
from simulator.study.roofline import study, traffic
from simulator.study.roofline.formats import Format, formats, servable
from simulator.study.roofline.hardware import hardware
from simulator.study.roofline.replica import Replica, Settings, replica
from simulator.study.roofline.steps import Point
from simulator.study.roofline.study import Question, answer
from simulator.study.roofline.traffic import Traffic, bills

AT = Point(4096, 64, 512)
CHAT = Traffic((1024, 512), (256, 64), "two requests")


def accelerator(name: str) -> Accelerator:
    found: Accelerator = catalog.load("accelerators", name)
    return found


def by_name(name: str, model: str = "llama-3.1-70b", size: int = 2) -> dict[str, Format]:
    found = formats(model_spec(Names(model)), accelerator(name), size, Settings(8192), AT)
    return {each.name: each for each in found}


def test_narrow_weights_speed_decode_and_narrow_arithmetic_prefill() -> None:
    found = by_name("h100-sxm")
    fp8, w8a16, int4 = (found[name] for name in ("fp8", "w8a16", "int4"))
    assert fp8.prefill and fp8.decode and w8a16.prefill and w8a16.decode and int4.decode
    assert fp8.decode.ideal == pytest.approx(1.97, abs=0.02)  # all but the output matrix and the KV cache
    assert fp8.prefill.ideal > 1.6
    assert w8a16.prefill.ideal == pytest.approx(1.0, abs=0.01)
    assert w8a16.decode.ideal == pytest.approx(fp8.decode.ideal, rel=0.01)
    assert int4.decode.ideal > w8a16.decode.ideal
    assert found["none"].prefill is not None
    assert found["none"].prefill.seconds == 1.0


def test_an_accelerator_without_the_arithmetic_says_so() -> None:
    found = by_name("a100-sxm-80")
    assert "no fp8 arithmetic" in found["fp8"].runs
    assert found["fp8"].prefill is None
    assert found["int8"].prefill and found["int8"].prefill.ideal > 1.5
    assert not found["none"].fits or found["none"].needs == 2


def test_such_an_accelerator_serves_narrow_weights_widened() -> None:
    spec = model_spec(Names("llama-3.1-70b", "fp8"))
    assert servable(spec, accelerator("a100-sxm-80")).quantization == "w8a16"
    assert servable(spec, accelerator("h100-sxm")) is spec
    assert servable(model_spec(Names("llama-3.1-70b", "fp4")), accelerator("h100-sxm")).quantization == "int4"


def test_hardware_divides_the_datasheet_by_the_price() -> None:
    row = hardware(accelerator("h100-sxm"), model_spec(Names("llama-3.1-8b")), Settings(8192), AT)
    assert row.flops_per_s_per_usd_hour == pytest.approx(989.4e12 / row.price_usd_per_hour)
    assert row.bytes_per_s_per_usd_hour == pytest.approx(3.35e12 / row.price_usd_per_hour)
    assert row.speed is not None
    assert 0 < row.speed.decode < row.speed.ideal_decode
    assert row.speed.kind == "fitted"


def test_what_does_not_fit_has_a_reason_and_no_speed() -> None:
    row = hardware(accelerator("l4"), model_spec(Names("llama-3.1-405b")), Settings(8192), AT)
    assert row.speed is None
    assert "does not fit l4" in row.why and "GB a worker are missing" in row.why


def test_the_mean_context_weighs_every_decode() -> None:
    """A request of p and o decodes o − 1 times over p + 1 … p + o − 1 keys."""
    keys = sum(1024 + j for j in range(1, 256)) + sum(512 + j for j in range(1, 64))
    assert CHAT.decoded == 255 + 63
    assert CHAT.context == pytest.approx(keys / CHAT.decoded)
    assert Traffic((7,), (1,), "").context == 7


def on(name: str, size: int = 1) -> Replica:
    return replica(model_spec(Names("llama-3.1-8b")), accelerator(name), size, Settings(8192))


def test_a_bill_is_seconds_times_price() -> None:
    found, reasons = bills(
        model_spec(Names("llama-3.1-8b")), (accelerator("h100-sxm"),), CHAT, Settings(8192), size=1
    )
    assert not reasons
    bill, option = found[0], on("h100-sxm")
    prefill = option.cost.price(Work(0, 0, ((1024, 0), (512, 0)), 2)).seconds
    step = option.cost.price(Work(bill.batch, round(bill.batch * CHAT.context), (), bill.batch)).seconds
    assert bill.prefill_s == pytest.approx(prefill / 2)
    assert bill.decode_s == pytest.approx(318 * step / bill.batch / 2)
    assert bill.usd == pytest.approx((bill.prefill_s + bill.decode_s) * 3.0 / 3600 / 160 * 1e6)
    assert bill.prefill_usd + bill.decode_usd == pytest.approx(bill.usd)
    assert bill.output_tokens_per_usd == pytest.approx(1e6 / bill.usd)


def test_a_bound_on_tpot_keeps_the_batch_small() -> None:
    free, _ = traffic.best_batch(on("h100-sxm"), CHAT, None)
    bound, limit = traffic.best_batch(on("h100-sxm"), CHAT, 0.012)
    assert 0 < bound < free
    assert limit == traffic.TPOT
    assert traffic.best_batch(on("h100-sxm"), CHAT, 1e-6)[0] == 0


def test_a_bound_that_nothing_meets_is_a_reason() -> None:
    found, reasons = bills(
        model_spec(Names("llama-3.1-8b")), (accelerator("l4"),), CHAT, Settings(8192), tpot_s=1e-4
    )
    assert not found
    assert reasons["l4"].startswith("no layout decodes in 0.1 ms: the fastest takes")


def test_bills_come_cheapest_first_and_follow_the_price() -> None:
    spec, settings = model_spec(Names("llama-3.1-8b")), Settings(8192)
    both = (accelerator("h100-sxm"), accelerator("a100-sxm-80"))
    found, _ = bills(spec, both, CHAT, settings)
    assert [bill.usd for bill in found] == sorted(bill.usd for bill in found)
    cheap = replace(both[1], price_usd_per_hour=both[1].price_usd_per_hour / 10)
    repriced, _ = bills(spec, (both[0], cheap), CHAT, settings)
    assert repriced[0].accelerator == "a100-sxm-80"


def test_long_outputs_spend_their_time_in_decode() -> None:
    spec = model_spec(Names("llama-3.1-8b"))
    shares = []
    for prompt, output in ((4000, 10), (1000, 1000), (10, 4000)):
        load = Traffic((prompt,), (output,), "")
        found, _ = bills(spec, (accelerator("h100-sxm"),), load, Settings(8192))
        shares.append(found[0].prefill_share)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8 and shares[2] < 0.2


def trace(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + rows)
    return path


ROWS = "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,7000,109\n"


def test_a_trace_counts_by_its_lengths(tmp_path: Path) -> None:
    found = traffic.of_trace(trace(tmp_path, ROWS), 8192)
    assert (found.prompts, found.outputs) == ((374, 7000), (44, 109))
    assert found.source == "trace.csv"
    assert found.repeated == 0.0


def test_requests_over_the_limit_are_refused_or_left_out(tmp_path: Path) -> None:
    path = trace(tmp_path, ROWS)
    with pytest.raises(InputError, match=r"--traffic .*1 of 2 requests exceed .*--over-limit drop"):
        traffic.of_trace(path, 4096)
    assert traffic.of_trace(path, 4096, "drop").prompts == (374,)
    assert sum(traffic.of_trace(path, 4096, "clip").prompts) < 4096 + 374
    with pytest.raises(InputError, match="no request is left"):
        traffic.of_trace(path, 10, "drop")


def question(**changed: object) -> Question:
    base = Question(
        model_spec(Names("llama-3.1-8b")),
        (accelerator("h100-sxm"), accelerator("a100-sxm-80")),
        None,
        2048,
        512,
    )
    return replace(base, **changed)  # type: ignore[arg-type]  # the tests' own keywords


def test_the_whole_answer_is_plain_values() -> None:
    found = answer(question(traffic=CHAT))
    document = json.loads(json.dumps(study.document(found)))
    assert document["fit"]["accelerator"] == "h100-sxm"
    assert {row["accelerator"] for row in document["hardware"]} == {"h100-sxm", "a100-sxm-80"}
    assert document["traffic"]["requests"] == 2
    assert len(document["bills"]) == 2
    assert document["provenance"]["ops"]["gemm"]["kind"] == "fitted"


def test_the_gap_is_decode_over_prefill_a_token() -> None:
    found = answer(question(prompt=4096))
    each = found.prefill.seconds / 4096
    assert found.gap.seconds == pytest.approx(found.alone.seconds / each)
    assert found.gap.ridge == pytest.approx(295.3, rel=1e-3)
    assert 0.8 * found.gap.ridge < found.gap.ideal < 1.2 * found.gap.ridge


def test_full_is_the_largest_batch_that_fits() -> None:
    found = answer(question(context=8192))
    assert found.full.sequences == found.curve.room
    assert found.full.sequences in [row.step.sequences for row in found.curve.rows]


def test_given_batches_are_the_only_ones() -> None:
    found = answer(question(batches=(3, 100)))
    assert [row.step.sequences for row in found.curve.rows] == [3, 100]
    assert found.full.sequences == 100


def test_the_formula_alone_is_another_answer() -> None:
    with_rows, alone = answer(question()), answer(question(correction="none"))
    assert with_rows.prefill.seconds != alone.prefill.seconds
    assert with_rows.prefill.ideal_s == alone.prefill.ideal_s
    assert alone.fit.correction == "none"


def test_more_memory_holds_more() -> None:
    little, much = answer(question(utilization=0.5)), answer(question(utilization=0.95))
    assert little.fit.kv_tokens < much.fit.kv_tokens


def test_a_layout_that_does_not_fit_says_by_how_much() -> None:
    big = question(model=model_spec(Names("llama-3.1-70b")), size=1)
    with pytest.raises(
        InputError,
        match=r"--tensor-parallel-size 1: .* GB a worker are missing.*tensor_parallel_size: 2 fits",
    ):
        answer(big)


def test_an_indivisible_layout_names_the_nearest() -> None:
    with pytest.raises(InputError, match="tensor_parallel_size 3 does not divide"):
        answer(question(size=3))
