"""YAML with positions: what it reads, and what it refuses before building anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.scenario.parse import MAX_BYTES, MAX_DEPTH, parse, read, scalar
from simulator.scenario.positions import Where, merge, place, plain

START = Where("f.yaml", 1, 1)


def values(text: str) -> object:
    return plain(parse(text, START))


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, START)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-20_000", -20_000),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("~", None),
        ("null", None),
        ("50 ms", "50 ms"),
        ("1.2.3", "1.2.3"),
        ("2025-01-01", "2025-01-01"),
        ("12:30:45", "12:30:45"),
        ("1" * 5000, "1" * 5000),
        ("_1", "_1"),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert str(scalar(".nan")) == "nan"


def test_quoted_scalars_are_text() -> None:
    assert values("{a: '1', b: \"true\", c: |\n  3\n}".replace("c: |\n  3\n", "c: ''")) == {
        "a": "1",
        "b": "true",
        "c": "",
    }


def test_a_null_in_a_mapping_means_not_given() -> None:
    assert values("{a: null, b: [null, 1]}") == {"b": [None, 1]}


def test_empty_text_is_an_empty_mapping() -> None:
    assert values("") == {}
    assert values("# nothing\n") == {}


def test_anchors_and_aliases_share_values() -> None:
    assert values("a: &x {b: 1}\nc: *x\nd: &y [2]\ne: *y\nf: &z 3\ng: *z") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": [2],
        "e": [2],
        "f": 3,
        "g": 3,
    }


def test_positions_count_lines_and_columns_from_one() -> None:
    node = parse("a:\n  bcd: [1,\n    {e: 2}]\n", START)
    assert str(place(node, ("a", "bcd"))) == "f.yaml:2:3"
    assert str(place(node, ("a", "bcd", 0))) == "f.yaml:2:9"
    assert str(place(node, ("a", "bcd", 1, "e"), of_key=True)) == "f.yaml:3:6"
    assert str(place(node, ("a", "bcd", 1, "e"))) == "f.yaml:3:9"


def test_the_place_of_what_is_missing_is_the_key_around_it() -> None:
    node = parse("a:\n  b: {c: 1}\n  d: text\n", START)
    assert str(place(node, ("a", "b", "x", "y"))) == "f.yaml:2:3"
    assert str(place(node, ("a", "d", "x"))) == "f.yaml:3:6"
    assert str(place(node, ("nowhere",))) == "f.yaml:1:1"


def test_merging_is_deep_and_null_deletes() -> None:
    base, over = parse("a: {b: 1, c: 2}\nd: [1, 2]", START), parse("a: {c: null, e: 3}\nd: [9]", START)
    assert plain(merge(base, over)) == {"a": {"b": 1, "e": 3}, "d": [9]}
    assert plain(base) == {"a": {"b": 1, "c": 2}, "d": [1, 2]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "f.yaml:2:1: duplicate key 'a'; allowed: once; it is already at f.yaml:1:1"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml:1:4: a tag"),
        ("a: !mine 3", "f.yaml:1:4: a tag"),
        ("{? [1] : 2}", "f.yaml:1:4: a mapping or list as a key"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document"),
        ("a: *nowhere", "f.yaml:1:4: alias *nowhere"),
        ("a: &x [*x]", "f.yaml:1:8: alias *x"),
        ("a: [1", "not valid YAML"),
        ("a: b: c", "f.yaml:1:5: not valid YAML"),
        ("\tkey: 1", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_refused_with_its_place(text: str, said: str) -> None:
    assert said in refusal(text)


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "expands to too much" in refusal("\n".join(lines))


def test_many_aliases_to_one_anchor_are_a_bomb_too() -> None:
    text = "a: &a [" + "1, " * 999 + "1]\nb: [" + "*a, " * 99 + "*a]"
    assert "expands to too much" in refusal(text)


def test_nesting_is_bounded() -> None:
    assert "nested too deeply" in refusal("[" * (MAX_DEPTH + 1))
    assert "nested too deeply" in refusal("[" * 100_000)
    assert values("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="too large"):
        read(path, "large.yaml")


def test_an_endless_file_is_not_read_to_its_end() -> None:
    if not Path("/dev/zero").exists():
        # what is tested is a device that never ends, and not every system has one
        pytest.skip("no /dev/zero on this system")
    with pytest.raises(InputError, match="too large"):
        read(Path("/dev/zero"), "zero.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b"a: \x80"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not UTF-8"):
        read(path, "f.yaml")


def test_a_byte_order_mark_and_crlf_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n")
    node = read(path, "f.yaml")
    assert plain(node) == {"a": 1, "b": {"c": 2}}
    assert str(place(node, ("b", "c"))) == "f.yaml:3:6"


@pytest.mark.parametrize("path", ["missing.yaml", ".", "a\0b"])
def test_what_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read(Path(path), path)


def read_or_refused(text: str) -> bool:
    try:
        plain(parse(text, START))
    except InputError as error:
        return error.problems[0].where.startswith("f.yaml:")
    return True


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    assert read_or_refused(text)


@given(st.text(alphabet="ab:{}[],&*!|>-?#'\"\n ~1", max_size=60))
def test_any_heap_of_punctuation_is_a_document_or_refused(text: str) -> None:
    assert read_or_refused(text)
