"""Measured kernel tables: told apart by their columns, predicted, and nothing left out without a reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulator.cli import sim
from simulator.errors import InputError
from simulator.study import accuracy_page, kernel_tables, whole_steps
from simulator.study.validate_kernels import headline, main_rows, validate

GEMM = """accelerator,backend,version,dtype,kernel,m,n,k,us
h100_sxm,vllm,0.24.0,bfloat16,torch,64,4096,4096,13.3
h100_sxm,vllm,0.24.0,bfloat16,torch,4096,4096,4096,190.1
h100_sxm,vllm,0.24.0,bfloat16,torch,64,512,4096,7.4
my_gpu,vllm,0.24.0,bfloat16,torch,64,4096,4096,13.3
b200_sxm,vllm,0.24.0,int3,torch,64,4096,4096,13.3
"""
DECODE = """accelerator,backend,dtype,kv_dtype,batch_size,kv_len,num_heads,num_key_value_heads,"""
DECODE += """head_dim,window_size,us
a100_sxm,vllm,bfloat16,bfloat16,16,1024,32,8,128,0,49.0
a100_sxm,vllm,bfloat16,bfloat16,16,1024,32,8,128,128,25.0
"""
COLLECTIVES = """accelerator,backend,dtype,kernel,collective,num_gpus,bytes,us
h100_sxm,vllm,bfloat16,vLLM_custom_graph,all_reduce,8,1048576,12.6
h100_sxm,vllm,bfloat16,unheard_of,all_reduce,8,1048576,12.6
"""
MOE = """accelerator,backend,dtype,num_tokens,hidden_size,inter_size,topk,num_experts,"""
MOE += """moe_tp_size,moe_ep_size,distribution,us
h100_sxm,vllm,bfloat16,64,4096,14336,2,8,2,1,balanced,640.0
h100_sxm,vllm,bfloat16,64,4096,14336,2,8,2,1,power_law_1.2,640.0
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "gemm.csv").write_text(GEMM)
    with gzip.open(tmp_path / "decode.csv.gz", "wt") as file:
        file.write(DECODE)
    (tmp_path / "collectives.csv").write_text(COLLECTIVES)
    (tmp_path / "moe.csv").write_text(MOE)
    return tmp_path


def test_every_row_is_predicted_or_counted_with_a_reason(tables: Path) -> None:
    report = validate([str(tables)], corrected=False)
    predicted = sum(len(line.ratios) for line in report.lines)
    assert predicted == 8 and sum(report.uncovered.values()) == 3
    assert report.overall()[1] == 8
    text = " ".join(report.uncovered)
    assert "'my_gpu' is not in the catalogue" in text and "no fit of gemm int3 for b200" in text


def test_lines_tell_ops_and_kinds_of_rows_apart(tables: Path) -> None:
    report = validate([str(tables)], corrected=True)
    kinds = {(line.op, line.kind) for line in report.lines}
    assert {("gemm", ""), ("gemm", "n or k < 1024"), ("moe", ""), ("moe", "skewed routing")} <= kinds
    assert {("attention_decode", "d 128"), ("attention_decode", "d 128, window")} <= kinds
    assert all(0.3 < line.figures()["bias"] < 3 for line in report.lines)
    assert headline(report.lines, "gemm", "bf16")[1] == [
        line.figures()["median_pct"] for line in report.lines if (line.op, line.kind) == ("gemm", "")
    ]


def test_the_last_line_is_the_median_over_all_rows(tables: Path) -> None:
    result = CliRunner().invoke(sim, ["validate", "kernels", str(tables), "--correction", "none"])
    assert result.exit_code == 0, result.output
    last = result.output.strip().splitlines()[-1]
    median, count = validate([str(tables)], corrected=False).overall()
    assert last == f"median error {median:.2f} % over {count} rows"
    as_json = json.loads(CliRunner().invoke(sim, ["validate", "kernels", str(tables), "--json"]).output)
    assert as_json["rows"] == 8 and len(as_json["uncovered"]) == 3


def test_ones_own_rows_correct_where_none_ship(tmp_path: Path) -> None:
    """An accelerator with the fit of another takes no correction; one's own rows of a fitted kernel do."""
    slow = "".join(
        f"h100_sxm,vllm,bfloat16,{m},{n},4096,500\n" for m in (1, 2, 4, 8, 16) for n in (4096, 6144, 28672)
    )
    (tmp_path / "gemm.csv").write_text("accelerator,backend,dtype,m,n,k,us\n" + slow)
    target = tmp_path / "mine.npz"
    packed = CliRunner().invoke(sim, ["validate", "kernels", str(tmp_path), "--pack", str(target)])
    assert packed.output == f"1 kernels packed into {target}\n"
    args = ["step", "--model", "llama-3.1-8b", "--json", "--correction"]
    plain, own = (json.loads(CliRunner().invoke(sim, [*args, each]).output) for each in ("none", str(target)))
    assert own["seconds"] > 5 * plain["seconds"]
    missing = CliRunner().invoke(sim, [*args, "nowhere.npz"])
    assert isinstance(missing.exception, InputError)


def test_a_row_is_not_corrected_by_itself(tmp_path: Path) -> None:
    """A shipped row with an absurd time gets no better prediction than its neighbours give."""
    (tmp_path / "gemm.csv").write_text(
        "accelerator,backend,dtype,m,n,k,us\nh100_sxm,vllm,bfloat16,64,4096,4096,1000\n"
    )
    ratio = validate([str(tmp_path)], corrected=True).lines[0].ratios[0]
    assert ratio < 0.03


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no known op has these columns"),
        ("accelerator,m,n,k,us\nh100,1,2,3,\n", "us is no positive number"),
        ("", "not a table"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        kernel_tables.read(path)
    with pytest.raises(InputError, match="no measured kernel tables"):
        kernel_tables.files([str(tmp_path / "nowhere")])


def test_the_accuracy_page_has_all_its_parts(tables: Path) -> None:
    page = accuracy_page.page([str(tables)])
    for part in ("Main figures", "Whole decode steps", "used on another", "All rows", "Rows without a fit"):
        assert part in page
    assert "| gemm | h100-sxm | vllm | bf16 |" in page


def test_whole_steps_are_near_what_servers_took() -> None:
    """V1 with asynchronous scheduling; V0's host time was never fitted, so it may be a third short."""
    for found in whole_steps.compare():
        allowed = 0.10 if found.report.planner == "vllm_v1" else 0.35
        assert found.corrected_ms == pytest.approx(found.report.tpot_ms, rel=allowed), found.report


def test_the_whole_tables_meet_their_aims() -> None:
    """All measured rows, where they are beside this checkout."""
    folder = Path(__file__).parents[3] / "shared" / "kernels" / "measured"
    if not folder.is_dir():
        pytest.skip("the measured kernel tables are not beside this checkout")
    group = next(
        group for group in kernel_tables.read(folder / "mla_decode.csv.gz") if group.backend == "trtllm"
    )
    assert main_rows(group).all()
    report = validate([str(folder / "attention_prefill.csv.gz")], corrected=False)
    assert headline(report.lines, "attention_prefill", "")[0] <= 8.0
    assert np.isfinite(report.overall()[0])


def test_a_step_is_told_op_by_op() -> None:
    args = ["step", "--model", "llama-3.1-70b", "--tp", "2", "--quantization", "fp8", "--decodes", "8"]
    result = CliRunner().invoke(sim, [*args, "--prefill", "2048@512"])
    assert result.exit_code == 0, result.output
    for word in (
        "qkv",
        "gate_up",
        "all_reduce",
        "attention_prefill",
        "attention_decode",
        "lm_head",
        "engine",
    ):
        assert word in result.output
    assert "FLOP/byte against a ridge of 591" in result.output and "KV cache" in result.output
    found = json.loads(CliRunner().invoke(sim, [*args, "--json"]).output)
    assert sum(op["seconds"] for op in found["ops"]) == pytest.approx(found["seconds"])
    assert 0 < found["mfu"] < 1 and 0 < found["mbu"] < 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "nothing to price"),
        (["--model", "llama-3.1-8b", "--prefill", "x"], "not a chunk"),
        (["--model", "llama-3.1-8b", "--decodes", "0"], "the step is empty"),
        (["--model", "llama-3.1-8b", "--prefill", "9000"], "exceed max_num_batched_tokens 8192"),
        (["--model", "llama-3.1-8b", "--quantization", "fp3"], "no 'fp3'"),
        (["--model", "llama-3.1-8b", "--quantization", "fp4"], "no fp4 arithmetic"),
        (["--model", "llama-3.1-8bb"], "unknown model"),
    ],
)
def test_a_step_that_cannot_be_is_refused(args: list[str], said: str) -> None:
    result = CliRunner().invoke(sim, ["step", *args])
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)


def test_a_step_that_does_not_fit_says_so() -> None:
    result = CliRunner().invoke(sim, ["step", "--model", "llama-3.1-70b"])
    assert "does not fit" in result.output and "tensor_parallel_size: 4 fits" in result.output
    result = CliRunner().invoke(sim, ["step", "--model", "llama-3.1-8b", "-n", "512", "-c", "8000"])
    assert "these requests need" in result.output
