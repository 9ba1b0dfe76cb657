"""The README shows what the commands really print, and links to what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import VERBS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- output: sim (.*?) -->\n```\n(.*?)```", README, re.DOTALL)
PROGRAM = [sys.executable, "-c", "import sys; from simulator.cli import main; main(sys.argv[1:])"]


def figures(output: str) -> list[str]:
    """The lines that depend neither on the machine's speed nor on where the folder goes."""
    return [line for line in output.strip().splitlines()[:-1] if not line.startswith("simulated ")]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_output_shown_is_real(command: str, output: str, tmp_path: Path) -> None:
    args = [*command.split(), "--out", str(tmp_path)]
    done = subprocess.run([*PROGRAM, *args], capture_output=True, text=True, check=True, cwd=ROOT)
    assert figures(done.stdout) == figures(output)


def test_the_first_commands_show_their_output() -> None:
    assert [command for command, output in SHOWN if output.strip()] == [
        "run scenarios/rag.yaml",
        "run scenarios/azure-conversation.yaml",
        "run scenarios/mooncake-conversation.yaml",
        "compare scenarios/rag.yaml scenarios/rag-disaggregated.yaml",
    ]


PAGES = ["README.md", "CONTRIBUTING.md", "docs/scenario.md", "docs/metrics.md", "docs/statistics.md"]
STUDIES = [str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("reports/studies/*/README.md"))]


@pytest.mark.parametrize("page", [*PAGES, *STUDIES])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


def test_the_commands_shown_exist() -> None:
    for verb in re.findall(r"^sim (\w+)", README, re.MULTILINE):
        assert verb in VERBS
