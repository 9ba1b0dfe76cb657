"""The claims as a page of Markdown."""

from __future__ import annotations

import contextlib
import io
from collections import Counter

from claims.batching import BATCH
from claims.claim import COMMANDS, HOLDS, OPEN, PARTLY, WRONG, Claim
from claims.decoding import DECODE
from claims.intensity import PREFILL, ROOF
from claims.strategy import HARDWARE, QUANTISATION
from simulator.cli import execute

SOURCE = "https://vinayj.com/sizing/03-roofline-model"
SECTIONS = {
    "3.1 Arithmetic intensity": ROOF,
    "3.2 Prefill is compute-bound": PREFILL,
    "3.3 Decode is memory-bandwidth-bound": DECODE,
    "3.4 Batch size": BATCH,
    "3.5 Hardware strategy": HARDWARE,
    "3.5 Quantisation": QUANTISATION,
}
SHOWN = (("Figures 3.1 and 3.3.2", "one", "Roof of"), ("Figure 3.4", "two", "Decode against batch"))
HEAD = f"""# The roofline, claim by claim

<!-- Written by docs/make_roofline.py from docs/claims: edit those, then run it. -->

[The Roofline Model: Why Prefill and Decode Differ]({SOURCE}) explains why serving a language model is two
workloads with opposite needs. Here is each of its figures, in its order, with a verdict and the figure that
`sim` has for it. Ours are computed when this page is written, and a test computes them again: it fails when
the page no longer says what the commands say, or when a verdict no longer follows from them.

**Ideal** is the datasheet's dense peak or bandwidth, whichever takes longer, op by op, and nothing else. **By
the cost model** is kernel times fitted to measurements, with the engine's own time; the last lines of each
command's output say how well they fit. *Assumed* efficiencies are another accelerator's. The
[cost model](cost-model.md) has its own page. Unless said, figures are of Llama-3.1 70B with 512 tokens of
context in a bf16 KV cache, and prompts of 4,096 tokens.

Your own case takes one command, with a trace in any format that `sim list formats` names, or two lengths:

```
sim roofline -m llama-3.1-70b --quantization fp8 -a h200-sxm --traffic TRACE --tpot "50 ms" --html page.html
```
"""


def page() -> str:
    """The whole text. Raises AssertionError with the claims whose verdict no longer follows."""
    claims = [claim for some in SECTIONS.values() for claim in some]
    fallen = [claim.says for claim in claims if not claim.verdict_stands()]
    assert not fallen, f"verdicts that no longer follow from the figures: {fallen}"
    sections = [_section(name, some) for name, some in SECTIONS.items()]
    return "\n".join([HEAD, _count(claims), *sections, _figures(), _commands()])


def _count(claims: list[Claim]) -> str:
    found = Counter(claim.verdict for claim in claims)
    return (
        f"Of {len(claims)} claims {found[HOLDS]} hold, {found[PARTLY]} hold in part, "
        f"{found[WRONG]} are wrong, and {found[OPEN]} cannot be checked.\n"
    )


def _section(name: str, claims: tuple[Claim, ...]) -> str:
    lines = [f"## {name}", "", "| claim | verdict | our figure | command |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {claim.says} | {_verdict(claim)} | {claim.figure()} | {_links(claim)} |" for claim in claims
    ]
    return "\n".join([*lines, ""])


def _verdict(claim: Claim) -> str:
    return f"**{claim.verdict}**: {claim.why}" if claim.why else f"**{claim.verdict}**"


def _links(claim: Claim) -> str:
    return ", ".join(f"[{name}](#commands)" for name in claim.commands) or "–"


def _figures() -> str:
    """What the terminal draws of the text's figures, for one H100 and for two."""
    lines = ["## Figures", ""]
    for figure, name, heading in SHOWN:
        lines += [f"{figure}, from command [{name}](#commands):", "", "```", *_cut(name, heading), "```", ""]
    return "\n".join(lines)


def _cut(name: str, heading: str) -> list[str]:
    """The paragraph of a command's output that begins with the heading."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = execute(COMMANDS[name].split()[1:])
    assert code == 0, (name, code)
    found = next(each for each in text.getvalue().split("\n\n") if each.startswith(heading))
    return [line.rstrip() for line in found.splitlines()]


def _commands() -> str:
    lines = [
        "## Commands",
        "",
        "`--json` prints every figure; `sim roofline` also takes `--html FILE` for charts and `--csv FILE`.",
        "",
        "| name | command |",
        "| --- | --- |",
        *(f"| {name} | `{command}` |" for name, command in COMMANDS.items()),
    ]
    return "\n".join([*lines, "", "`python docs/make_roofline.py` writes this page again.", ""])
