"""`sim roofline`: where prefill and decode sit under an accelerator's roof, and what follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option
from simulator.cli.roofline_question import COMPARED, PROMPT, accelerators_named, question
from simulator.errors import InputError, Problem

if TYPE_CHECKING:
    from simulator.catalog import Accelerator
    from simulator.study.roofline.study import Answer

NEEDS_MODEL = {
    "size": "--tensor-parallel-size",
    "prompt": "--prompt",
    "context": "--context",
    "batches": "--batch",
    "trace": "--traffic",
    "prompt_tokens": "--prompt-tokens",
    "output_tokens": "--output-tokens",
    "tpot": "--tpot",
    "utilization": "--gpu-memory-utilization",
    "html": "--html",
    "csv": "--csv",
}
DEFAULTS = {
    "quantization": "none",
    "kv_cache_dtype": "auto",
    "over_limit": "error",
    "correction": "measured",
}


@click.command()
@click.option("--model", "-m", metavar="NAME|CONFIG.JSON", help="Of `sim list models`, or a config.json.")
@click.option(
    "--accelerator",
    "-a",
    "accelerators",
    metavar="NAME",
    multiple=True,
    help="The first one is looked at closely, all are compared. Default: " + ", ".join(COMPARED) + ".",
)
@click.option("--quantization", metavar="NAME", default="none", show_default=True, help="Of the weights.")
@click.option("--kv-cache-dtype", metavar="NAME", default="auto", show_default=True, help="auto, bf16, fp8.")
@click.option(
    "--tensor-parallel-size",
    "size",
    metavar="N",
    type=click.IntRange(1),
    help="Of the first accelerator; default: the smallest that fits.",
)
@click.option(
    "--prompt",
    metavar="TOKENS",
    type=click.IntRange(1),
    help=f"Of the prefill looked at; default: the traffic's mean, or {PROMPT}.",
)
@click.option(
    "--context",
    metavar="TOKENS",
    type=click.IntRange(1),
    help="Keys that each decode reads; default: the traffic's mean, or the prompt.",
)
@click.option(
    "--batch",
    "batches",
    metavar="N[,N…]",
    multiple=True,
    help="Decodes at once; default: 1 to 512 by doubling.",
)
@click.option(
    "--traffic", "trace", metavar="TRACE", type=click.Path(path_type=Path), help="A trace: its lengths count."
)
@click.option(
    "--over-limit",
    type=click.Choice(["error", "drop", "clip"]),
    default="error",
    show_default=True,
    help="Requests of the trace that are longer than the model allows.",
)
@click.option(
    "--prompt-tokens", metavar="TOKENS", type=click.IntRange(1), help="Or one length of all prompts …"
)
@click.option("--output-tokens", metavar="TOKENS", type=click.IntRange(1), help="… and of all outputs.")
@click.option("--tpot", metavar="TIME", help="The longest decode step that the traffic bears, such as 50 ms.")
@click.option(
    "--price",
    "prices",
    metavar="NAME=USD",
    multiple=True,
    help="Per hour of an accelerator, in place of the catalogue's.",
)
@click.option("--gpu-memory-utilization", "utilization", metavar="SHARE", type=click.FloatRange(0.01, 1.0))
@click.option(
    "--correction",
    type=click.Choice(["measured", "none"]),
    default="measured",
    show_default=True,
    help="Kernel times by the formula and the measured rows near them, or the formula alone.",
)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the charts: one page.")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Write every step as a row.")
@json_option
@quiet_option
def roofline(model: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """Show where prefill and decode sit under an accelerator's roof, and what follows.

    Ridge points; operating points; decode throughput against batch with its zones and what ends them;
    prefill time; what quantisation changes in each phase; what a dollar buys. With a traffic also the share
    of time in each phase and the accelerator that this favours. Without a model: roofs and prices alone.
    """
    accelerators = accelerators_named(given["accelerators"], given["prices"], model is None)
    if model is None:
        _without_model(accelerators, given, as_json)
        return
    found = _answer(model, accelerators, given)
    _write(found, given["html"], given["csv"], quiet)
    if as_json:
        from simulator.study.roofline.study import document

        click.echo(json.dumps(document(found), indent=1, ensure_ascii=False))
        return
    from simulator.report.roofline import terminal

    terminal.show(found, _console(), brief=quiet)


def _answer(model: str, accelerators: tuple[Accelerator, ...], given: dict[str, Any]) -> Answer:
    from simulator.scenario.serving import Names, model_spec
    from simulator.study.roofline.study import answer

    spec = model_spec(Names(model, given["quantization"], given["kv_cache_dtype"]))
    return answer(question(spec, accelerators, given))


def _without_model(accelerators: tuple[Accelerator, ...], given: dict[str, Any], as_json: bool) -> None:
    idle = [option for key, option in NEEDS_MODEL.items() if given[key]]
    idle += [f"--{key.replace('_', '-')}" for key, default in DEFAULTS.items() if given[key] != default]
    if idle:
        problems = [Problem(option, "has no effect without a model", "--model NAME too") for option in idle]
        raise InputError(problems)
    from dataclasses import asdict

    from simulator.report.roofline import terminal
    from simulator.study.roofline.hardware import datasheet
    from simulator.study.roofline.roofs import roofs

    rows = [(datasheet(each), roofs(each)) for each in accelerators]
    if as_json:
        documents = [asdict(row) | {"roofs": [asdict(roof) for roof in found]} for row, found in rows]
        click.echo(json.dumps(documents, indent=1, ensure_ascii=False))
        return
    terminal.show_accelerators(rows, _console())


def _write(found: Answer, html: Path | None, csv: Path | None, quiet: bool) -> None:
    """The files asked for, each named on stderr. Raises InputError for one that cannot be written."""
    if html is not None:
        from simulator.report.roofline.html import html as page

        _save(html, page(found), quiet)
    if csv is not None:
        from simulator.report.roofline.csv_table import as_csv

        _save(csv, as_csv(found), quiet)


def _save(path: Path, text: str, quiet: bool) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise InputError(Problem(str(path), what, "a file in an existing folder")) from None
    if not quiet:
        click.echo(f"wrote {path} ({path.stat().st_size:,} bytes)", err=True)


def _console() -> Any:
    """As wide as the terminal, or as the tables are where the output goes to a file or a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=112)
