"""The command line: which verbs there are, how errors are told and with what code a command ends.

Verbs are imported when they are called: `sim --help` reads this file and click, nothing else.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, TextIO

import click

from simulator import __version__, errors


class Verb(NamedTuple):
    """Where a verb is ("module:function" below this package) and its line in `sim --help`."""

    target: str
    help: str


VERBS = {
    "run": Verb("run:run", "Simulate a scenario, print its table, write a run folder."),
    "compare": Verb("compare:compare", "The same requests through several designs: what changes, and why."),
    "report": Verb("report:report", "Write the page of a run or a comparison again, from its folder."),
    "explain": Verb(
        "explain:explain", "Where a request's latency went, what the slowest share, what limits a pool."
    ),
    "diff": Verb(
        "diff:diff", "What changes from one run to another, or how far a run is from a measured one."
    ),
    "export": Verb("export:export", "A run for other tools: Perfetto, vllm bench, AIPerf, CSV, Prometheus."),
    "trace": Verb("trace:trace", "Production traces: import from any known format."),
    "roofline": Verb(
        "roofline:roofline", "Where prefill and decode sit under the roof; batch, quantisation, hardware."
    ),
    "validate": Verb("validate:validate", "Recorded schedules and measured kernels against the simulator."),
    "step": Verb("measure:step", "What one step costs, op by op."),
    "check": Verb("scenario:check", "Check a scenario without running it."),
    "list": Verb("catalogue:list_names", "What the catalogues hold: accelerators, models, routers, …"),
    "show": Verb("catalogue:show", "One catalogue entry, each figure with its source."),
    "schema": Verb("scenario:schema", "The JSON Schema of a scenario file, for editors."),
}


class LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, verb in VERBS.items() if find_spec(_module(verb))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        verb = VERBS[cmd_name]
        command = getattr(import_module(_module(verb)), verb.target.partition(":")[2])
        assert isinstance(command, click.Command), f"{verb.target} is no click command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            close = errors.nearest(args[0], self.list_commands(ctx))
            hint = f" Did you mean {close!r}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, VERBS[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _module(verb: Verb) -> str:
    return f"{__name__}.{verb.target.partition(':')[0]}"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 a defect, 2 bad input, 3 SLO missed, 4 validation failed, 130 interrupted.",
)
@click.version_option(__version__, prog_name="sim")
def sim() -> None:
    """Which fleet, of which accelerators, laid out how, serves this traffic within its latency objectives."""


def main(args: Sequence[str] | None = None) -> None:
    """The program: never returns.

    Ends without taking native libraries down, which aborts now and then when Arrow has just started threads.
    """
    from simulator.interrupt import end_as_interrupted

    end_as_interrupted()
    sys.stdout = Output(sys.stdout) if sys.stdout else open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # open until the end
    sys.stderr = sys.stderr or sys.stdout
    code = execute(args)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _told(error)
    with suppress(OSError):  # there is nobody left to tell
        sys.stderr.flush()
    os._exit(code)


class Output:
    """A stream whose reader may leave (`| head`): what comes then is for nobody, and the command ends as it
    would have, with its own exit code.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with self._unread():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._unread():
            self.stream.flush()

    @contextmanager
    def _unread(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def execute(args: Sequence[str] | None = None) -> int:
    """Runs a command line and tells what went wrong; the exit code."""
    try:
        result = sim.main(args=None if args is None else list(args), prog_name="sim", standalone_mode=False)
        return result if isinstance(result, int) else errors.OK
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else errors.DEFECT
    except (KeyboardInterrupt, click.Abort) as end:
        why = str(end.__cause__ or end)  # click makes an Abort of what was raised
        say(f"interrupted: {why}" if why else "interrupted")
        return errors.INTERRUPTED
    except Exception as error:
        return _told(error)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def _told(error: Exception) -> int:
    """Says what went wrong; the exit code."""
    if isinstance(error, errors.InputError):
        tell(error)
        return errors.BAD_INPUT
    if isinstance(error, click.ClickException):
        error.show()
        return errors.BAD_INPUT
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        say(f"{error.filename or 'the output'}: cannot be written: {os.strerror(error.errno)}")
        return errors.BAD_INPUT
    if isinstance(error, MemoryError):
        say("this machine's memory is too small for that; fewer requests take less (workload.limit)")
        return errors.BAD_INPUT
    say(_defect(error))
    return errors.DEFECT


def tell(error: errors.InputError) -> None:
    """Each problem on its own line, what would be right below it."""
    for problem in error.problems:
        place = style(f"{problem.where}: ", bold=True) if problem.where else ""
        hint = style(f" ({problem.hint})", fg="green") if problem.hint else ""
        say(f"{place}{style(problem.what, fg='red')}{hint}")
        if problem.allowed:
            say(f"    allowed: {problem.allowed}")
    if len(error.problems) > 1:
        say(f"{len(error.problems)} problems")


def style(text: str, **how: Any) -> str:
    """Coloured text, unless NO_COLOR is set; click drops colours when the output is no terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **how)


def say(text: str) -> None:
    """A line on stderr."""
    click.echo(text, err=True)


def _defect(error: Exception) -> str:
    if os.environ.get("SIM_TRACEBACK"):
        return "".join(traceback.format_exception(error)).rstrip()
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno} in {last.name}"
    text = f"a defect of sim, not of your input: {type(error).__name__}: {error}\n    at {place}"
    return f"{text}; SIM_TRACEBACK=1 shows the way there"
