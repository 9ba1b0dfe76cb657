"""`sim roofline` as a command: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import errors
from simulator.cli import execute
from simulator.cli.roofline_question import COMPARED

Capture = pytest.CaptureFixture[str]
SMALL = ("roofline", "-m", "llama-3.1-8b", "-a", "h100-sxm", "-a", "a100-sxm-80", "--batch", "1,8,64")


def run(capsys: Capture, *args: str) -> tuple[int, str, str]:
    code = execute(args)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_screen_or_two_with_every_part(capsys: Capture) -> None:
    code, out, err = run(capsys, *SMALL, "--prompt-tokens", "1000", "--output-tokens", "200")
    assert (code, err) == (0, "")
    headings = (
        "Ridge points",
        "Roof of h100-sxm, bf16",
        "Operating points",
        "Decode against batch",
        "Prefill\n",
    )
    headings += ("Quantisation on", "What a dollar an hour buys", "Tokens/s of one accelerator", "Traffic")
    places = [out.index(heading) for heading in headings]
    assert places == sorted(places)
    assert len(out.splitlines()) < 110
    assert max(len(line) for line in out.splitlines() if "─" in line or "TB/s" in line) <= 112
    assert "\x1b" not in out


def test_quiet_prints_the_sentences_alone(capsys: Capture) -> None:
    code, out, _ = run(capsys, *SMALL, "--quiet")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert "bound by compute; one decode at" in out


def test_json_holds_the_whole_answer(capsys: Capture) -> None:
    _, out, _ = run(capsys, *SMALL, "--json", "--context", "512", "--tensor-parallel-size", "2")
    document = json.loads(out)
    assert document["fit"]["gpus"] == 2
    assert [row["step"]["sequences"] for row in document["curve"]["rows"]] == [1, 8, 64]
    assert document["curve"]["context"] == 512
    assert document["traffic"] is None


def test_a_traffic_gives_prompt_and_context(capsys: Capture) -> None:
    lengths = ("--prompt-tokens", "700", "--output-tokens", "101")
    document = json.loads(run(capsys, *SMALL, "--json", *lengths)[1])
    assert document["prefill"]["tokens"] == 700
    assert document["curve"]["context"] == 700 + 50  # the middle of 100 decodes reads 750.5 keys
    assert document["bills"][0]["usd"] <= document["bills"][1]["usd"]


def test_a_config_json_is_a_model(capsys: Capture, tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
    }
    path = tmp_path / "mine" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    code, out, _ = run(capsys, "roofline", "-m", str(path), "-a", "h100", "--json")
    named = json.loads(run(capsys, "roofline", "-m", "llama-3.1-8b", "-a", "h100", "--json")[1])
    assert code == 0
    assert json.loads(out)["alone"]["seconds"] == pytest.approx(named["alone"]["seconds"])


def test_csv_has_a_row_a_step(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    code, _, err = run(capsys, *SMALL, "--csv", str(path))
    assert err.startswith(f"wrote {path} (")
    rows = list(csv.DictReader(path.open()))
    assert code == 0
    decodes = [row for row in rows if row["phase"] == "decode"]
    assert [row["sequences"] for row in decodes] == ["1", "8", "64"]
    assert float(decodes[0]["tokens_per_s"]) == pytest.approx(1 / float(decodes[0]["seconds"]))
    assert {row["phase"] for row in rows} == {"decode", "prefill"}


def test_html_is_one_page_without_a_network(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    code, _, _ = run(
        capsys, *SMALL, "--html", str(path), "--prompt-tokens", "9", "--output-tokens", "9", "-q"
    )
    text = path.read_text()
    assert code == 0
    assert len(text) < 5e6
    assert "<h1>Roofline of llama-3.1-8b on h100-sxm</h1>" in text
    assert "default-src 'none'" in text
    assert text.count('role="img"') == 7
    assert text.count("The figures as a table") == 6  # prefill's two charts share one


def test_the_same_question_gives_the_same_figures(capsys: Capture) -> None:
    assert run(capsys, *SMALL, "--json") == run(capsys, *SMALL, "--json")


def test_without_a_model_roofs_and_prices(capsys: Capture) -> None:
    code, out, _ = run(capsys, "roofline", "-a", "h100", "-a", "mi300x")
    assert code == 0
    assert "What a dollar an hour buys" in out
    assert "2.20*" in out and "*: an assumed price" in out
    document = json.loads(run(capsys, "roofline", "-a", "h100", "--json", "--price", "h100=2")[1])
    assert document[0]["flops_per_s_per_usd_hour"] == pytest.approx(989.4e12 / 2)
    assert [roof["dtype"] for roof in document[0]["roofs"]] == ["bf16", "fp8", "int8"]


def test_the_default_set_is_compared(capsys: Capture) -> None:
    document = json.loads(run(capsys, "roofline", "-m", "qwen3-0.6b", "--json", "--batch", "1")[1])
    assert tuple(row["accelerator"] for row in document["hardware"]) == COMPARED


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-m", "llama-3.1-8"), "--model: unknown model 'llama-3.1-8' (did you mean 'llama-3.1-8b'?)"),
        (("-m", "llama-3.1-8b", "-a", "h10"), "--accelerator: unknown accelerator 'h10' (did you mean"),
        (("-m", "llama-3.1-8b", "--quantization", "fp9"), "unknown quantization 'fp9' (did you mean 'fp8'?)"),
        (("-m", "llama-3.1-8b", "--kv-cache-dtype", "fp16"), "unknown dtype 'fp16' (did you mean"),
        (("-m", "llama-3.1-8b", "-a", "a100", "--quantization", "fp8"), "a100-sxm-80 has no fp8 arithmetic"),
        (("-m", "llama-3.1-70b", "--tensor-parallel-size", "1"), "GB a worker are missing"),
        (("-m", "llama-3.1-70b", "--tensor-parallel-size", "5"), "tensor_parallel_size 5 does not divide"),
        (("-m", "llama-3.1-405b", "-a", "l4"), "--accelerator l4: llama-3.1-405b"),
        (("-m", "llama-2-7b", "--prompt", "5000"), "--prompt: 5000 tokens are over the 4096 of llama-2-7b"),
        (("-m", "llama-2-7b", "--context", "5000"), "--context: 5000 tokens are over the 4096"),
        (("-m", "llama-3.1-8b", "--batch", "1,x"), "--batch: 'x' is no number of requests"),
        (("-m", "llama-3.1-8b", "--batch", "0"), "--batch: '0' is no number of requests"),
        (("-m", "llama-3.1-8b", "--tpot", "50 ms"), "--tpot: has no effect without a traffic"),
        (("-m", "llama-3.1-8b", "--prompt-tokens", "9"), "--prompt-tokens: needs --output-tokens too"),
        (("-m", "llama-3.1-8b", "--traffic", "nowhere.csv"), "nowhere.csv"),
        (("-m", "llama-3.1-8b", "--over-limit", "drop"), "--over-limit: has no effect without --traffic"),
        (("-m", "llama-3.1-8b", "--price", "h100=cheap"), "--price: 'h100=cheap' is no price"),
        (("-m", "llama-3.1-8b", "--price", "h100=-1"), "--price: 'h100=-1' is no price"),
        (("-m", "llama-3.1-8b", "--price", "t4=1"), "--price: t4 has no effect: it is not compared"),
        (("-m", "llama-3.1-8b", "--csv", "no/such/x.csv"), "no/such/x.csv: cannot be written"),
        (("--prompt", "10"), "--prompt: has no effect without a model"),
        (("--quantization", "fp8"), "--quantization: has no effect without a model"),
        (("--correction", "none"), "--correction: has no effect without a model"),
        (("--tpot", "50 ms"), "--tpot: has no effect without a model"),
        (("-m", "llama-3.1-8b", "--batch", "1", "--html", "."), ".: cannot be written: Is a directory"),
        (("-m", "llama-3.1-8b", "--context", "0"), "'--context'"),
    ],
)
def test_bad_input(capsys: Capture, args: tuple[str, ...], said: str) -> None:
    code, out, err = run(capsys, "roofline", *args)
    assert code == errors.BAD_INPUT
    assert said in err
    assert out == ""


def test_every_fault_is_told_at_once(capsys: Capture) -> None:
    args = (
        "--batch",
        "x",
        "--prompt",
        "5000",
        "--tpot",
        "soon",
        "--prompt-tokens",
        "1",
        "--output-tokens",
        "1",
    )
    code, _, err = run(capsys, "roofline", "-m", "llama-2-7b", *args)
    assert code == errors.BAD_INPUT
    assert err.splitlines()[-1] == "3 problems"


def test_charts_are_loaded_only_for_a_page() -> None:
    program = (
        "import sys; from simulator.cli import execute; code = execute(sys.argv[1:]); "
        "found = {name.partition('.')[0] for name in sys.modules} & {'bokeh', 'jinja2'}; "
        "print(code, *sorted(found), file=sys.stderr)"
    )
    for args in (["--help"], ["roofline", "--help"], [*SMALL, "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *args], capture_output=True, text=True, check=True
        )
        assert done.stderr.split() == ["0"]
