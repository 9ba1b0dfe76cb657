"""docs/scenario.md names every key, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.errors import InputError
from simulator.scenario import schema, synthetic
from simulator.scenario.load import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
SECTIONS = [
    part for part in (vars(schema) | vars(synthetic)).values() if isinstance(part, type(schema.Section))
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_documented(section: type) -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", PAGE)) | set(re.findall(r"`([a-z]+): ", PAGE))
    assert set(section.model_fields) - named - {"start", "end"} == set()


def test_the_first_example_loads(tmp_path: Path) -> None:
    text = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    (tmp_path / "page.yaml").write_text(text, encoding="utf-8")
    trace = f"workload.trace={ROOT / 'traces' / 'ragpulse.parquet'}"
    assert load(tmp_path / "page.yaml", [trace]).model.shape.name == "llama-3.1-70b"


def test_the_example_of_a_synthetic_workload_loads() -> None:
    text = re.findall(r"```yaml\nsynthetic:\n(.*?)```", PAGE, re.DOTALL)[0]
    value = "{" + ", ".join(line.strip() for line in text.strip().splitlines()) + "}"
    sets = ["workload.synthetic=null", f"workload.synthetic={value}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "scenarios")
        assert load("poisson.yaml", sets).workload.synthetic is not None


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.name)
def test_the_scenarios_that_ship_load(path: Path) -> None:
    try:
        scenario = load(path)
    except InputError as error:
        pytest.fail(str(error))
    assert scenario.name == path.stem
    assert scenario.document.get("description")
