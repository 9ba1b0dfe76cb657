"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def scenario_argument(function: Function) -> Function:
    """SCENARIO, the path of a file, as `path`."""
    return click.argument("path", metavar="SCENARIO", type=click.Path(path_type=Path))(function)


def set_option(function: Function) -> Function:
    """--set KEY=VALUE, as often as wanted, as `sets`."""
    text = "Set a key of the scenario, such as fleet.pools.serve.replicas=8; the value is YAML."
    return click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help=text)(function)


def json_option(function: Function) -> Function:
    """--json, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(function)


def quiet_option(function: Function) -> Function:
    """--quiet, as `quiet`."""
    return click.option("--quiet", "-q", is_flag=True, help="Print only the result.")(function)


def workers_option(function: Function) -> Function:
    """--workers N, as `workers`; the default is the number of cores."""
    text = "Processes for several replications; default: the cores. The result does not depend on it."
    return click.option("--workers", metavar="N", type=click.IntRange(1), help=text)(function)
