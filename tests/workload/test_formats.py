"""Each format by rows in its owners' documented shape, and every way in which a file can be bad."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import plugins
from simulator.errors import InputError
from simulator.workload.columns import UNSHARED, Workload
from simulator.workload.reading import read_lengths, read_trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
MOONCAKE = '{{"timestamp": {}, "input_length": {}, "output_length": {}, "hash_ids": {}}}\n'


def read(folder: Path, text: str | bytes, name: str = "trace", **how: Any) -> Workload:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    load = read_trace(path, how.pop("kind", None), how, skip_bad_rows=how.pop("skip", False))
    load.validate()
    return load


def faults(folder: Path, text: str | bytes, **how: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder, text, **how)
    return [str(problem) for problem in caught.value.problems]


def test_azure_2023_has_seven_digits_and_no_zone(tmp_path: Path) -> None:
    load = read(tmp_path, AZURE + "2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109")
    np.testing.assert_allclose(load.arrival_s, [0, 4.314579], atol=1e-6)
    assert load.prompt_tokens.tolist() == [374, 396]
    assert load.output_tokens.tolist() == [44, 109]
    assert load.provenance["variant"] == "2023"


def test_azure_2024_has_offsets_and_mixed_widths(tmp_path: Path) -> None:
    rows = "2024-05-10 00:00:00.009930+00:00,1,5\n2024-05-10 00:00:00+00:00,2,1\n"
    rows += "2024-05-10 02:00:01.5+02:00,3,1\n"
    load = read(tmp_path, AZURE.replace("\r", "") + rows)
    np.testing.assert_allclose(load.arrival_s, [0, 0.00993, 1.5], atol=1e-6)
    assert load.prompt_tokens.tolist() == [2, 1, 3]
    assert load.provenance["counts"]["out_of_order_rows_sorted"] == 1


def test_azure_multimodal_counts_its_images(tmp_path: Path) -> None:
    text = "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-15T12:00:00.269Z,0,770,491\n"
    load = read(tmp_path, text + "2024-10-15T12:00:05.819Z,2,949,126\n")
    assert load.provenance["images"] == 2
    np.testing.assert_allclose(load.arrival_s, [0, 5.55], atol=1e-6)


def test_byte_order_mark_gzip_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    text = ("\ufeff" + AZURE + "2023-11-16 18:15:46.6805900,374,44\r\n\r\n").encode()
    plain, packed = read(tmp_path, text), read(tmp_path, gzip.compress(text), "trace.gz")
    assert plain == packed
    assert plain.provenance["sha256"] == packed.provenance["sha256"]
    assert packed.provenance["file"] == "trace"


BAD = AZURE + (
    "2023-11-16 18:17:03.9799600,4808,10\r\nyesterday,1,2\r\n2023-11-16 18:17:04,4,\r\n"
    "2023-11-16 18:17:05,48\r\n"
    "\r\n2023-11-16 18:17:06,-8,10\r\n2023-11-16 18:17:07,8,3000000000\r\n2023-11-16 18:17:08,8,1\r\n"
)


def test_bad_rows_are_named_with_their_field(tmp_path: Path) -> None:
    told = faults(tmp_path, BAD)
    assert told[0].startswith("trace:row 2: TIMESTAMP is 'yesterday'; allowed: a time as 2023-11-16")
    assert told[1] == "trace:row 3: GeneratedTokens is ''; allowed: a whole number"
    assert told[2].startswith("trace:row 4: the row is '2023-11-16 18:17:05,48'; allowed: 3 columns")
    assert told[3].startswith("trace:row 5: ContextTokens is '-8'")
    assert told[4].startswith("trace:row 6: GeneratedTokens is '3000000000'")
    assert told[5] == "trace: 5 bad rows (--skip-bad-rows leaves them out and counts them)"


def test_bad_rows_are_skipped_and_counted_when_asked(tmp_path: Path) -> None:
    load = read(tmp_path, BAD, skip=True)
    assert load.prompt_tokens.tolist() == [4808, 8]
    assert load.provenance["counts"]["rows"] == 7
    assert load.provenance["counts"]["bad_rows_dropped"] == 5


def test_only_the_first_bad_rows_are_shown(tmp_path: Path) -> None:
    told = faults(tmp_path, AZURE + "x,1,2\r\n" * 30)
    assert len(told) == 11
    assert "30 bad rows, 20 of them not shown" in told[-1]


def test_rows_without_tokens_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = "2023-11-16 18:17:03,0,10\r\n2023-11-16 18:17:04,5,0\r\n"
    rows += "2023-11-16 18:17:05,0,0\r\n2023-11-16 18:17:06,1,1"
    load = read(tmp_path, AZURE + rows)
    assert len(load) == 1
    assert load.arrival_s[0] == 0
    assert load.provenance["counts"]["zero_prompt_rows_dropped"] == 2
    assert load.provenance["counts"]["zero_output_rows_dropped"] == 1


def test_a_trace_of_nothing_is_refused(tmp_path: Path) -> None:
    assert "there are no rows" in faults(tmp_path, AZURE)[0]
    assert "the only row is not a request" in faults(tmp_path, AZURE + "2023-11-16 18:17:03,0,10\r\n")[0]


def test_a_trace_beyond_the_time_grid_is_refused(tmp_path: Path) -> None:
    assert (
        "spans 98 days" in faults(tmp_path, AZURE + "2023-01-01 00:00:00,1,1\n2023-04-09 00:00:00,1,1\n")[0]
    )


def test_mooncake_blocks_are_segments_and_the_last_is_partly_filled(tmp_path: Path) -> None:
    text = (
        MOONCAKE.format(0, 1000, 5, [3, 4])
        + MOONCAKE.format(2500, 512, 6, [3])
        + MOONCAKE.format(9000, 1, 7, [])
    )
    load = read(tmp_path, text)
    assert load.arrival_s.tolist() == [0, 2.5, 9]
    assert load.segment_offset.tolist() == [0, 2, 3, 3]
    assert load.segment_id.tolist() == [3, 4, 3]
    assert load.segment_tokens.tolist() == [512, 488, 512]


def test_mooncakes_block_size_must_fit(tmp_path: Path) -> None:
    text = MOONCAKE.format(0, 100, 5, [3, 4])
    assert (
        "length of hash_ids is 2; allowed: 1 blocks of 512 (the option block_size)"
        in faults(tmp_path, text)[0]
    )
    assert read(tmp_path, text, block_size=64).segment_tokens.tolist() == [64, 36]


def test_aiperf_sessions_wait_for_their_previous_answer(tmp_path: Path) -> None:
    text = (
        '{"session_id": "a", "input_length": 600, "output_length": 10, "hash_ids": [0, 1]}\n'
        '{"session_id": "b", "timestamp": 700, "input_length": 513, "output_length": 3, "hash_ids": [0, 4]}\n'
        '{"session_id": "a", "delay": 1500, "input_length": 999, "output_length": 9, "hash_ids": [0, 2]}\n'
    )
    load = read(tmp_path, text)
    assert load.arrival_s == pytest.approx([0, 0, 0.7], abs=1e-8)
    assert load.session.tolist() == [0, 0, 1]
    assert load.turn.tolist() == [0, 1, 0]
    assert np.array_equal(load.think_s, [np.nan, 1.5, np.nan], equal_nan=True)


def test_prompts_as_text_have_no_length(tmp_path: Path) -> None:
    assert "no number of tokens" in faults(tmp_path, '{"text_input": "hello", "output_length": 3}\n')[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "the line is '[1]'; allowed: a JSON object"),
        ('{"timestamp": 0, "input_length"', "the line is"),
        ("[" * 100_000, "the line is"),
        (
            '{"timestamp": 0, "input_length": 123456789012345678901, "output_length": 1}',
            "input_length is 12345",
        ),
        ('{"timestamp": 1%s, "input_length": 5, "output_length": 1}' % ("0" * 400), "timestamp is 1000"),
        ('{"timestamp": 0, "input_length": 5.5, "output_length": 1}', "input_length is 5.5"),
        ('{"timestamp": 0, "input_length": true, "output_length": 1}', "input_length is True"),
        ('{"timestamp": 0, "output_length": 1}', "input_length is None"),
        ('{"input_length": 5, "output_length": 1}', "timestamp is None"),
        ('{"timestamp": -4, "input_length": 5, "output_length": 1}', "timestamp is -4"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": ["x"]}', "hash_ids is ['x']"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [-1]}', "hash_ids is [-1]"),
    ],
)
def test_bad_json_rows_are_named(tmp_path: Path, line: str, said: str) -> None:
    good = MOONCAKE.format(0, 5, 1, [])
    told = faults(tmp_path, good + line + "\n" + good)
    assert told[0].startswith("trace:row 2: ")
    assert said in told[0]
    assert len(read(tmp_path, good + line + "\n" + good, skip=True)) == 2


def ragpulse(folder: Path, rows: str) -> Path:
    tables = {"1_sys_prompt": "sys_prompt_id", "2_passages": "passage_id", "3_history": "history_id"}
    tables |= {"4_user_input": "user_input_id", "5_web_search": "web_search_id"}
    for number, (stem, key) in enumerate(tables.items()):
        content = f'{{"{key}": {number}, "token_length": {10 * (number + 1)}}}\n\n'
        (folder / f"{stem}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    (folder / "0_trace.jsonl").write_text(rows)
    return folder


PULSE = (
    '{{"timestamp": "{}", "input_length": {}, "output_length": 9, "session_id": "{}", "hash_ids": '
    '{{"sys_prompt": [0], "passages_ids": [1], "history": [2], "web_search": [4], "user_input": [3]}}}}\n'
)


def test_ragpulse_parts_stand_in_order_and_the_template_last(tmp_path: Path) -> None:
    load = read_trace(ragpulse(tmp_path, PULSE.format(100, 157, "s") + PULSE.format(130, 150, "t") + "\n"))
    load.validate()
    assert load.arrival_s.tolist() == [0, 30]
    assert load.segment_id.tolist() == [0, 1, 2, 4, 3, UNSHARED, 0, 1, 2, 4, 3]
    assert load.segment_tokens.tolist() == [10, 20, 30, 50, 40, 7, 10, 20, 30, 50, 40]
    assert load.session.tolist() == [0, 1]


def test_ragpulses_second_week_follows_the_first_unless_as_written(tmp_path: Path) -> None:
    rows = PULSE.format(100, 157, "s") + PULSE.format(604000, 157, "t") + PULSE.format(50, 157, "s")
    unwrapped = read_trace(ragpulse(tmp_path, rows))
    assert unwrapped.arrival_s.tolist() == [0, 603900, 604750]
    assert unwrapped.provenance["weeks"] == "unwrapped"
    overlaid = read_trace(tmp_path, options={"weeks": "as_written"})
    overlaid.validate()
    assert overlaid.arrival_s.tolist() == [0, 50, 603950]
    assert overlaid.turn.tolist() == [0, 1, 0]
    with pytest.raises(InputError, match="unknown choice 'overlaid'"):
        read_trace(tmp_path, options={"weeks": "overlaid"})


def test_ragpulse_needs_its_tables_and_known_parts(tmp_path: Path) -> None:
    ragpulse(tmp_path, PULSE.format(100, 100, "s"))
    with pytest.raises(InputError, match=r"row 1: hash_ids is .*at most input_length \(100\)"):
        read_trace(tmp_path)
    (tmp_path / "5_web_search.jsonl.gz").unlink()
    with pytest.raises(InputError, match="its table 5_web_search"):
        read_trace(tmp_path)
    with pytest.raises(InputError, match="a table of RAGPulse's prompt parts"):
        read_trace(tmp_path / "1_sys_prompt.jsonl.gz")


def test_vidur_with_and_without_arrivals(tmp_path: Path) -> None:
    load = read(tmp_path, "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,100,10\n2.25,300,30\n")
    assert load.arrival_s.tolist() == [0, 1.75]
    lengths = "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n"
    lengths += "3772,54,3826,69.85\n2015,156,2171,12.9\n"
    assert "lengths without arrivals" in faults(tmp_path, lengths)[0]
    assert read(tmp_path, lengths, arrivals="at_once").arrival_s.tolist() == [0, 0]
    prompt, output = read_lengths(tmp_path / "trace")
    assert (prompt.tolist(), output.tolist()) == ([3772, 2015], [54, 156])


def test_burstgpt_failures_and_sessions(tmp_path: Path) -> None:
    six = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    load = read(
        tmp_path, six + "5,ChatGPT,472,18,490,Conversation log\n45.5,GPT-4,300,0,300,API log\n46,x,7,8,15,y\n"
    )
    assert load.arrival_s.tolist() == [0, 41]
    assert load.provenance["counts"]["zero_output_rows_dropped"] == 1
    eight = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    load = read(
        tmp_path, eight + "10,101,2.5,C,100,20,120,C\n12,,0.8,G,50,5,55,A\n40,101,3.25,C,150,30,180,C\n"
    )
    assert load.session.tolist() == [0, -1, 0]
    assert load.turn.tolist() == [0, -1, 1]


def test_llmservingsim_and_apex_count_nanoseconds(tmp_path: Path) -> None:
    load = read(tmp_path, '{"input_toks": 5, "output_toks": 2, "arrival_time_ns": 1000}\n')
    assert load.provenance["format"] == "llmservingsim"
    rows = '{"StartTimeOffset": 0, "ContextTokens": 304, "GeneratedTokens": 822, "TotalTokens": 1126}\n'
    load = read(tmp_path, rows + rows.replace(": 0", ": 1500000000"))
    assert load.provenance["format"] == "apex"
    assert load.arrival_s.tolist() == [0, 1.5]


def test_an_unknown_format_is_told_with_what_was_seen(tmp_path: Path) -> None:
    told = faults(tmp_path, "when,how_many\n1,2\n")[0]
    assert "it begins with 'when,how_many'" in told
    assert ", ".join(plugins.names("formats")) in told
    assert "bytes that are no text" in faults(tmp_path, b"\x00\x01\x02")[0]


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    assert "unknown format 'azur'" in faults(tmp_path, AZURE, kind="azur")[0]
    told = faults(tmp_path, AZURE + "2023-01-01 00:00:00,1,1", kind="vidur", arrivals="at_once")
    assert "no column 'num_prefill_tokens'" in told[0]


def test_options_are_checked(tmp_path: Path) -> None:
    row = MOONCAKE.format(0, 5, 1, [])
    misspelt = "unknown option 'blocksize'; allowed: block_size (did you mean 'block_size'?)"
    assert misspelt in faults(tmp_path, row, blocksize=16)[0]
    assert "'16' is of the wrong type; allowed: as 512" in faults(tmp_path, row, block_size="16")[0]
    assert "at least 1" in faults(tmp_path, row, block_size=0)[0]


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_trace(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="a folder without a trace"):
        read_trace(tmp_path)
    assert "broken gzip" in faults(tmp_path, b"\x1f\x8bnonsense")[0]
    assert "no readable Parquet" in faults(tmp_path, b"PAR1nonsensePAR1")[0]


@pytest.mark.parametrize("name", plugins.names("formats"))
def test_every_format_says_what_it_is(name: str) -> None:
    module = plugins.find("formats", name)
    assert plugins.describe("formats", name)
    assert callable(module.sniff)
    assert callable(module.read)
    assert module.Options()


ROUND = '{{"session_id": "{}", "round_index": {}, "input_tokens_total": {}, "prefix_tokens": {}, '
ROUND += '"output_tokens": 5, "timing_events": [{{"timestamp": "2026-06-01T05:40:{}Z"}}]}}\n'
SHEET = "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"


def test_bailian_chats_are_sessions_also_out_of_order_and_without_their_beginning(tmp_path: Path) -> None:
    row = '{{"chat_id": {}, "parent_chat_id": {}, "timestamp": {}, "input_length": 20, "output_length": 3}}\n'
    rows = [(2, 1, 2.0), (1, 0, 1.0), (0, -1, 0.0), (9, 8, 3.0), (3, 1, 4.0)]
    load = read(tmp_path, "".join(row.format(*one) for one in rows))
    assert load.session.tolist() == [0, 0, 0, 1, 0]
    assert load.turn.tolist() == [0, 1, 2, 0, 3]
    assert load.provenance["counts"]["out_of_order_rows_sorted"] == 2
    assert not len(load.segment_id)


def test_tracelabs_prefixes_are_the_past_of_their_session(tmp_path: Path) -> None:
    """The second round has all of the first, answer included, and the third has lost a part of it."""
    rows = [("a", 0, 30, 10, "20.5"), ("a", 1, 50, 35, "30"), ("b", 0, 8, 0, "31"), ("a", 2, 25, 20, "40")]
    load = read(tmp_path, "".join(ROUND.format(*row) for row in rows))
    assert load.arrival_s.tolist() == [0, 9.5, 10.5, 19.5]
    assert load.session.tolist() == [0, 0, 1, 0]
    both = np.stack([load.segment_id, load.segment_tokens], 1).astype(int)
    pieces = np.split(both, load.segment_offset[1:-1])
    outside, first, answer, second, third = 3, 1, 2, 4, 10
    assert pieces[0].tolist() == [[outside, 10], [first, 20]]
    assert pieces[1].tolist() == [[outside, 10], [first, 20], [answer, 5], [second, 15]]
    assert pieces[3].tolist() == [[outside, 10], [first, 10], [third, 5]]
    assert load.output_segment[0] == answer


def test_tracelabs_sheet_waits_for_the_answer_before(tmp_path: Path) -> None:
    load = read(tmp_path, SHEET + "0,117,0,0,100,20,300\n0,117,1,120,30,10,50\n1,393,0,0,50,5,0\n")
    assert load.prompt_tokens.tolist() == [100, 150, 50]
    np.testing.assert_allclose(load.arrival_s, [0, 0, 0.276], atol=1e-6)
    np.testing.assert_array_equal(load.think_s, [np.nan, 0.3, np.nan])


def test_what_is_wrong_with_rounds_is_told(tmp_path: Path) -> None:
    (told, *_) = faults(tmp_path, SHEET + "0,117,1,0,100,20,300\n0,117,1,120,30,10,50\n")
    assert told == "trace:row 2: the round is 1; allowed: more than that of the row before it (1)"
    (told, *_) = faults(tmp_path, ROUND.format("a", 0, 10, 20, "20"))
    assert told == "trace:row 1: the prefix is 20; allowed: at most the prompt (10)"
    (told, *_) = faults(tmp_path, ROUND.format("a", 0, 20, 10, "99"))
    assert "timing_events[0].timestamp" in told


AGENT = """{"id": "x", "block_size": 4, "requests": [
 {"t": 0, "in": 10, "out": 3, "hash_ids": [1, 2], "think_time": 0, "api_time": 2},
 {"t": 3, "type": "subagent", "requests": [
  {"t": 0.5, "in": 5, "out": 1, "hash_ids": [9]},
  {"t": 2, "in": 8, "out": 0, "hash_ids": [9, 10], "api_time": 1}]},
 {"t": 7, "in": 13, "out": 2, "hash_ids": [1, 2, 3], "think_time": 4.5}]}"""


def test_an_agent_waits_for_its_answers_and_sub_agents_are_sessions(tmp_path: Path) -> None:
    load = read(tmp_path, AGENT)
    assert load.session.tolist() == [0, 0, 1]
    assert load.arrival_s.tolist() == [0, 0, 3.5]
    np.testing.assert_array_equal(load.think_s, [np.nan, 4.5, np.nan])
    assert load.provenance["counts"]["zero_output_rows_dropped"] == 1
    recorded = read(tmp_path, AGENT, timing="recorded")
    assert recorded.arrival_s.tolist() == [0, 3.5, 7]
    assert np.isnan(recorded.think_s).all()
    assert read(tmp_path, AGENT, timing="recorded", subagent_t="absolute").arrival_s.tolist() == [0, 0.5, 7]


def test_ids_of_agents_are_their_files_own(tmp_path: Path) -> None:
    one, other = read(tmp_path, AGENT), read(tmp_path, AGENT.replace('"x"', '"y"'))
    shared = one.segment_id[one.segment_id < UNSHARED]
    assert not set(shared) & set(other.segment_id)
    assert len(set(shared)) == 4
    assert one.segment_tokens.tolist() == [4, 4, 2, 4, 4, 4, 1, 4, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AGENT.replace("[1, 2, 3]", "[1, 2]"), "3 blocks of 4"),
        (AGENT.replace('"t": 7', '"t": null'), "t is -1.0"),
        (AGENT.replace('"block_size": 4', '"block_size": 0'), "no session of kv-cache-tester"),
        (AGENT[:-2], "no JSON"),
    ],
)
def test_an_agents_file_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in told for told in faults(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"benchmarks": []}', "a result of GuideLLM"),
        ("0,0.08,6.69,Gamma,0.02,73.0\n", "ServeGen"),
        ('{"passage_id": 1, "token_length": 3}\n', "0_trace.jsonl"),
    ],
)
def test_what_is_no_trace_but_known_is_named(tmp_path: Path, text: str, said: str) -> None:
    (told,) = faults(tmp_path, text)
    assert said in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "trace: the file is empty; allowed: a trace"),
        ("\r\n \n", "trace: the file is empty; allowed: a trace"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n", "trace: there are no rows"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n1,5,0\n", "trace: the only row is not a request"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n1,5,x\n", "1 bad row ("),
    ],
)
def test_of_one_or_none_it_speaks_as_people_do(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in told for told in faults(tmp_path, text))


def test_a_trace_may_come_through_a_pipe_but_not_from_a_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n1,5,3\n"
    writer = threading.Thread(target=lambda: pipe.write_text(text))
    writer.start()
    assert len(read_trace(pipe)) == 1
    writer.join()
    with pytest.raises(InputError, match="is a device"):
        read_trace("/dev/zero")
