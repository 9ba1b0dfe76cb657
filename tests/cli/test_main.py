"""The command line as a program: start-up, exit codes, how errors are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from simulator import cli, errors

HEAVY = {"numpy", "pandas", "scipy", "pydantic", "pyarrow", "rich", "simpy", "ruamel"}
SCENARIO = """\
name: small
model: {name: llama-3.1-8b}
workload:
  synthetic:
    requests: 5
    arrivals: {kind: poisson, rate: 5 /s}
    prompt: {kind: constant, tokens: 100}
    output: {kind: constant, tokens: 10}
fleet: {pools: {serve: {accelerator: h100-sxm}}}
slo: {ttft: 1 s}
"""


PROGRAM = [sys.executable, "-c", "import sys; from simulator.cli import main; main(sys.argv[1:])"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}


def sim(*args: str) -> subprocess.CompletedProcess[str]:
    """`sim ARGS` in a process of its own."""
    return subprocess.run([*PROGRAM, *args], capture_output=True, text=True, check=False, env=ENVIRONMENT)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from simulator.cli import execute; code = execute(['--help']); "
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, *modules = done.stdout.strip().split("\n")[-1].split()
    assert code == "0"
    assert not HEAVY & set(modules)


def test_help_is_quick() -> None:
    """0.2 s from command to prompt: processor time, so that a busy machine does not count."""
    times = []
    for _ in range(5):
        before = os.times()
        assert sim("--help").returncode == 0
        after = os.times()
        times.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(times) < 0.2


def test_help_shows_the_verbs_that_exist() -> None:
    out = sim("--help").stdout
    for verb in ("check", "list", "show", "schema"):
        assert cli.VERBS[verb].help in out
    assert "Exit codes" in out


def test_every_verb_of_the_table_that_has_a_module_is_a_command() -> None:
    context = click.Context(cli.sim)
    for name in cli.sim.list_commands(context):
        command = cli.sim.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_version() -> None:
    assert sim("--version").stdout.startswith("sim, version 0.")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["chekc"], "Did you mean 'check'?"),
        (["qqq"], "No such command 'qqq'."),
        (["check"], "Missing argument 'SCENARIO'"),
        (["check", "--sett", "a=b", "x.yaml"], "--set"),
        (["list", "acelerators"], "did you mean 'accelerators'?"),
    ],
)
def test_wrong_usage_ends_with_2_and_the_nearest_name(args: list[str], said: str) -> None:
    done = sim(*args)
    assert done.returncode == errors.BAD_INPUT
    assert said in done.stderr
    assert not done.stdout


def test_every_fault_of_a_scenario_is_told_on_stderr(scenario: Path) -> None:
    scenario.write_text(SCENARIO + "sed: 1\nrun: {bin: many}\n")
    done = sim("check", str(scenario))
    assert done.returncode == errors.BAD_INPUT
    assert not done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == f"{scenario}:11:1: unknown key 'sed' (did you mean 'seed'?)"
    assert lines[1].startswith("    allowed: cost, description, extends, ")
    assert lines[2].startswith(f"{scenario}:12:12: run.bin: not a quantity: 'many'")
    assert lines[-1] == "2 problems"


def test_a_missing_scenario_is_bad_input() -> None:
    done = sim("check", "nowhere.yaml")
    assert done.returncode == errors.BAD_INPUT
    assert "nowhere.yaml: cannot read: No such file or directory" in done.stderr


def test_check_says_what_a_scenario_means(scenario: Path) -> None:
    done = sim("check", str(scenario), "--set", "fleet.pools.serve.replicas=3")
    assert done.returncode == 0
    assert "llama-3.1-8b" in done.stdout
    assert "3 × tensor parallel 1 on h100-sxm (3 accelerators)" in done.stdout
    assert "ttft ≤ 1 s" in done.stdout


def test_check_as_json_and_quiet(scenario: Path) -> None:
    document = json.loads(sim("check", str(scenario), "--json").stdout)
    assert document["scenario"]["fleet"]["pools"]["serve"]["engine"]["block_size"] == 16
    assert len(document["hash"]) == 64
    assert sim("check", str(scenario), "--quiet").stdout == ""


def test_schema_is_json() -> None:
    assert json.loads(sim("schema").stdout)["title"] == "Scenario"
    assert sim("schema", "--json").stdout == sim("schema", "--quiet").stdout == sim("schema").stdout


def test_every_verb_takes_json_and_quiet() -> None:
    def leaves(command: click.Command) -> list[click.Command]:
        if not isinstance(command, click.Group):
            return [command]
        context = click.Context(command)
        under = [command.get_command(context, name) for name in command.list_commands(context)]
        return [leaf for each in under if each is not None for leaf in leaves(each)]

    for verb in leaves(cli.sim):
        options = {option for param in verb.params for option in param.opts}
        assert {"--json", "--quiet"} <= options, verb.name


@pytest.mark.parametrize(("name", "rate"), [("v100-sxm2-32", "125"), ("t4", "65")])
def test_an_accelerator_without_bf16_says_at_which_rate_it_runs_such_models(name: str, rate: str) -> None:
    (line,) = [line for line in sim("list", "accelerators").stdout.splitlines() if line.startswith(name)]
    assert f"{rate} TFLOPS fp16 (no bf16" in line
    assert "none: models in bf16 run in fp16" in sim("show", name).stdout
    assert "source" not in sim("show", name, "--quiet").stdout


def test_one_is_one_accelerator(scenario: Path) -> None:
    assert "(1 accelerator)" in sim("check", str(scenario)).stdout


def test_a_run_of_names_loads_no_package_metadata() -> None:
    program = "import sys; from simulator import plugins; print('importlib.metadata' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("kind", ["accelerators", "models", "presets", "routers", "policies", "formats"])
def test_list_has_a_line_a_name(kind: str) -> None:
    lines = sim("list", kind).stdout.splitlines()
    names = json.loads(sim("list", kind, "--json").stdout)
    assert [line.split()[0] for line in lines] == list(names)
    assert all(names.values())


@pytest.mark.parametrize("name", ["h100", "llama-3.1-8b", "vllm-0.33", "round_robin", "fcfs"])
def test_show_gives_every_figure_a_source(name: str) -> None:
    done = sim("show", name)
    assert done.returncode == 0
    assert json.loads(sim("show", name, "--json").stdout)
    assert "source" in done.stdout or "about" in done.stdout


def test_show_prints_the_same_whatever_strings_hash_to() -> None:
    """The lines behind the figures of an L40S once came in the order of a set."""
    code = "from simulator import cli; cli.execute(['show', 'l40s'])"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "1346"
    }
    assert len(seen) == 1


def test_show_offers_the_nearest_name() -> None:
    done = sim("show", "h100-sxmm")
    assert done.returncode == errors.BAD_INPUT
    assert "(did you mean 'h100-sxm'?)" in done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), errors.INTERRUPTED, "interrupted\n"),
        (KeyboardInterrupt("nothing to keep"), errors.INTERRUPTED, "interrupted: nothing to keep\n"),
        (
            errors.InputError(errors.Problem("f:1:2", "wrong", "right", "try")),
            errors.BAD_INPUT,
            "f:1:2: wrong (try)",
        ),
        (
            AssertionError("tokens lost"),
            errors.DEFECT,
            "a defect of sim, not of your input: AssertionError: tokens lost",
        ),
        (SystemExit(3), 3, ""),
        (MemoryError(), errors.BAD_INPUT, "this machine's memory is too small"),
    ],
)
def test_how_a_command_ends(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(cli.sim, "main", fail)
    assert cli.execute([]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["schema", "run"])
def test_a_reader_that_stops_early_is_no_fault(verb: str, scenario: Path) -> None:
    """Nothing is said, and the command ends as it would have: an SLO that was missed is still told."""
    missed = ["run", str(scenario), "--set", "slo.ttft=1 us", "--assert", "--out", str(scenario.parent / "r")]
    command = [*PROGRAM, *(missed if verb == "run" else [verb])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == (errors.SLO_MISSED if verb == "run" else errors.OK)


def test_a_closed_output_is_no_fault() -> None:
    done = subprocess.run(
        [*PROGRAM, "list", "models"], env=ENVIRONMENT, check=False, preexec_fn=lambda: os.close(1)
    )
    assert done.returncode == errors.OK


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("args", [["schema"], ["list", "models"], ["run"]])
def test_a_full_disk_behind_the_output_is_told(args: list[str], scenario: Path) -> None:
    run = ["run", str(scenario), "--out", str(scenario.parent / "r")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *(run if args == ["run"] else args)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
            check=False,
        )
    assert done.returncode == errors.BAD_INPUT
    assert done.stderr == "the output: cannot be written: No space left on device\n"


def test_a_verb_may_return_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.sim, "main", lambda **_: errors.VALIDATION_FAILED)
    assert cli.execute([]) == errors.VALIDATION_FAILED


def test_a_defect_says_where_and_how_to_see_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ValueError("x")

    monkeypatch.setattr(cli.sim, "main", fail)
    told: list[str] = []
    monkeypatch.setattr(cli, "say", told.append)
    cli.execute([])
    assert "test_main.py:" in told[0]
    assert "SIM_TRACEBACK=1" in told[0]
    monkeypatch.setenv("SIM_TRACEBACK", "1")
    cli.execute([])
    assert told[1].startswith("Traceback")


def test_colours_only_for_terminals_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in sim("check", "nowhere.yaml").stderr
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" in cli.style("x", bold=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.style("x", bold=True) == "x"
