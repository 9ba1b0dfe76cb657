"""`sim step` and `sim validate kernels`: what one step costs op by op, and how that compares with
measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option, set_option
from simulator.errors import InputError, Problem

if TYPE_CHECKING:
    from simulator.study.step import Replica, Step
    from simulator.study.validate_kernels import Report

WIDE = 160  # columns of output that is no terminal

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("path", metavar="[SCENARIO]", required=False, type=click.Path(path_type=Path))
@set_option
@click.option("--pool", help="The pool of the scenario; default: its first.")
@click.option("--model", help="Without a scenario: a name of `sim list models` or the path of a config.json.")
@click.option("--accelerator", default="h100-sxm", show_default=True, help="Without a scenario: on what.")
@click.option("--tensor-parallel-size", "--tp", "tp", type=click.IntRange(1), default=1, show_default=True)
@click.option("--pipeline-parallel-size", "--pp", "pp", type=click.IntRange(1), default=1, show_default=True)
@click.option("--data-parallel-size", "--dp", "dp", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--enable-expert-parallel", "--ep", "ep", is_flag=True, help="Spread experts over TP × DP ranks."
)
@click.option("--quantization", default="none", show_default=True, help="Of the weights.")
@click.option("--kv-cache-dtype", type=click.Choice(["bf16", "fp8"]), default="bf16", show_default=True)
@click.option(
    "--decodes", "-n", type=click.IntRange(0), default=None, help="Requests that decode [default: 1]."
)
@click.option(
    "--context", "-c", type=click.IntRange(1), default=1024, show_default=True, help="Keys of each."
)
@click.option(
    "--prefill", "-p", multiple=True, metavar="TOKENS[@BEFORE]", help="A chunk, after BEFORE tokens."
)
@click.option(
    "--correction",
    default="measured",
    show_default=True,
    metavar="measured|none|POOL.npz",
    help="Scale the formula by measured kernels near each op, or leave it alone.",
)
@json_option
@quiet_option
def step(path: Path | None, quiet: bool, as_json: bool, **options: Any) -> None:
    """What one step costs, op by op: FLOPs, bytes, intensity, what bounds it, time and source.

    sim step --model llama-3.1-70b --tp 2 --quantization fp8 --decodes 64 --context 1024 --prefill 2048
    """
    from simulator.study import step as study

    chunks = [_chunk(text) for text in options["prefill"]]
    decodes = options["decodes"] if options["decodes"] is not None else (0 if chunks else 1)
    on = _from_scenario(path, options) if path else _from_options(options)
    found = study.step(on, study.work(decodes, options["context"], chunks))
    if as_json:
        click.echo(json.dumps({**study.totals(found), "ops": study.rows(found)}, indent=1))
    else:
        _print_step(found, quiet)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option(
    "--correction",
    type=click.Choice(["measured", "none"]),
    default="measured",
    show_default=True,
    help="Scale the formula by measured kernels near each row, or leave it alone.",
)
@click.option("--pack", type=FILE, help="Pack the rows into a pool for `sim step --correction POOL.npz`.")
@click.option("--page", type=FILE, help="Write docs/accuracy-kernels.md there, both ways.")
@json_option
@quiet_option
def kernels(
    paths: tuple[str, ...], correction: str, pack: Path | None, page: Path | None, as_json: bool, quiet: bool
) -> None:
    """Predict measured kernel times (CSV tables, or folders of them) and print the error.

    A row is never corrected by measurements of its own shape. The last line is the median over all rows.
    """
    from simulator.study.validate_kernels import validate

    if pack is not None:
        click.echo(f"{_pack(list(paths), pack)} kernels packed into {pack}")
        return
    if page is not None:
        from simulator.study import accuracy_page

        page.write_text(accuracy_page.page(list(paths)), encoding="utf-8")
        return
    report = validate(list(paths), correction == "measured")
    if as_json:
        click.echo(json.dumps(_as_json(report), indent=1))
    else:
        _print_report(report, quiet)


def _pack(paths: list[str], target: Path) -> int:
    from simulator.study import kernel_tables
    from simulator.study.fit_kernels import save

    if target.suffix != ".npz":
        raise InputError(Problem(f"--pack {target}", "not the name of a pool", "a file ending in .npz"))
    return save([group for file in kernel_tables.files(paths) for group in kernel_tables.read(file)], target)


def _chunk(text: str) -> tuple[int, int]:
    tokens, _, before = text.partition("@")
    if not tokens.isdigit() or not (before or "0").isdigit() or int(tokens) == 0:
        raise InputError(
            Problem(f"--prefill {text}", "not a chunk", "TOKENS or TOKENS@BEFORE, such as 2048@4096")
        )
    return int(tokens), int(before or 0)


def _from_scenario(path: Path, options: dict[str, Any]) -> Replica:
    from simulator.scenario.load import load
    from simulator.study import step as study

    scenario = load(path, list(options["sets"]))
    pools = {pool.name: pool for pool in scenario.fleet.pools}
    pool = pools.get(options["pool"] or scenario.fleet.pools[0].name)
    if pool is None:
        raise InputError(Problem("--pool", f"no pool {options['pool']!r}", ", ".join(pools)))
    return study.replica(scenario.model, pool.accelerator, pool.layout, pool.engine, options["correction"])


def _from_options(options: dict[str, Any]) -> Replica:
    from simulator.catalog import load
    from simulator.scenario.engine_args import engine_args
    from simulator.scenario.resolve import DTYPES
    from simulator.scenario.resolved import Layout, ModelSpec
    from simulator.scenario.schema import EngineSection
    from simulator.study import step as study

    if not options["model"]:
        raise InputError(Problem("", "nothing to price", "a SCENARIO or --model NAME"))
    if options["quantization"] not in DTYPES:
        raise InputError(Problem("--quantization", f"no {options['quantization']!r}", ", ".join(DTYPES)))
    shape, accelerator = study.shape(options["model"]), load("accelerators", options["accelerator"])
    weights, activations = DTYPES[options["quantization"]]
    model = ModelSpec(shape, options["quantization"], weights, activations, options["kv_cache_dtype"])
    engine = engine_args(EngineSection(), accelerator, shape.max_position_embeddings, lambda *_: None)
    layout = Layout(options["tp"], options["pp"], options["dp"], options["ep"])
    return study.replica(model, accelerator, layout, engine, options["correction"])


def _print_step(found: Step, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from simulator.study import step as study

    console, total = Console(), study.totals(found)
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(box=None, pad_edge=False)
    for name in ("op", "GFLOP", "MB", "FLOP/byte", "bound by", "µs", "share"):
        table.add_column(name, justify="left" if name in ("op", "bound by") else "right", no_wrap=True)
    if not quiet:
        table.add_column("source", overflow="fold", style="dim")
    for row in study.rows(found):
        intensity = f"{row['intensity']:.1f}" if row["intensity"] else ""
        cells = [
            row["op"],
            f"{row['flops'] / 1e9:,.1f}",
            f"{row['bytes'] / 1e6:,.1f}",
            intensity,
            row["bound"],
        ]
        cells += [f"{row['seconds'] * 1e6:,.1f}", f"{row['share']:.1%}"]
        table.add_row(*cells, *([] if quiet else [row["source"]]))
    console.print(table)
    for line in _step_lines(found, total):
        console.print(line, soft_wrap=True, highlight=False)


def _step_lines(found: Step, total: dict[str, float]) -> list[str]:
    capacity, needed = found.capacity_tokens, found.needed_tokens
    lines = [
        f"step {total['seconds'] * 1e3:.3f} ms, {total['output_tokens_per_s']:,.0f} output tokens/s, "
        f"{total['total_tokens_per_s']:,.0f} tokens/s",
        f"{total['intensity']:.1f} FLOP/byte against a ridge of {total['ridge']:.0f}; "
        f"MFU {total['mfu']:.1%}, MBU {total['mbu']:.1%}",
    ]
    if found.misfit:
        lines.append(f"does not fit: {found.misfit}")
    elif capacity is not None and needed > capacity:
        lines.append(
            f"does not fit: these requests need {needed:,} tokens of KV cache, there are {capacity:,}"
        )
    else:
        lines.append(f"KV cache: {needed:,} of {capacity:,} tokens")
    return lines


def _print_report(report: Report, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("op", "accelerator", "backend", "dtype", "rows of", "rows", "median %", "p90 %", "bias"):
        table.add_column(
            name,
            justify="left" if name in ("op", "accelerator", "backend", "dtype", "rows of") else "right",
            no_wrap=True,
        )
    for line in report.lines:
        figures = line.figures()
        cells = [line.op, line.accelerator, line.backend, line.dtype, line.kind, f"{figures['rows']:,}"]
        table.add_row(
            *cells,
            *(
                f"{figures[name]:.{digits}f}"
                for name, digits in (("median_pct", 1), ("p90_pct", 1), ("bias", 3))
            ),
        )
    if not quiet:
        Console(width=WIDE).print(table)
        for reason, count in sorted(report.uncovered.items()):
            click.echo(f"not covered: {count:,} rows: {reason}")
    median, count = report.overall()
    click.echo(f"median error {median:.2f} % over {count} rows")


def _as_json(report: Report) -> dict[str, Any]:
    median, count = report.overall()
    lines = [
        {
            "op": line.op,
            "accelerator": line.accelerator,
            "backend": line.backend,
            "dtype": line.dtype,
            "kind": line.kind,
        }
        | line.figures()
        for line in report.lines
    ]
    return {"median_pct": median, "rows": count, "uncovered": dict(report.uncovered), "lines": lines}
