"""Instruction data of every make, counted to the last entry."""

import json
from pathlib import Path
from typing import Any

import pytest

from nativize.artifact import Report, standalone
from nativize.chat.instruction import (
    instruction_files,
    make_instruction_data,
    read_messages,
)
from nativize.errors import CrawlError
from nativize.recipe import Chat

ALPACA = {"instruction": "名前は？", "input": "", "output": "桜です。"}
MESSAGES = [{"role": "user", "content": "名前は？"}, {"role": "assistant", "content": "桜です。"}]


def made(directory: Path, pattern: str = "*.json*") -> tuple[Report, Path]:
    out = directory / "out"
    reports = []
    with standalone(out) as place:
        chat = Chat(path=pattern)
        reports.append(make_instruction_data(place, chat=chat, directory=directory))
    return reports[0], out


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "entry",
    [
        ALPACA,
        {"messages": MESSAGES},
        {
            "conversations": [
                {"from": "human", "value": "名前は？"},
                {"from": "gpt", "value": "桜です。"},
            ]
        },
        {
            "utterances": [
                {"name": "user", "text": "名前は？"},
                {"name": "agent", "text": "桜です。"},
            ]
        },
    ],
)
def test_every_make_becomes_the_same_messages(entry: Any) -> None:
    assert read_messages(entry) == MESSAGES


def test_the_input_of_alpaca_follows_its_instruction() -> None:
    entry = {**ALPACA, "input": "猫"}
    assert read_messages(entry)[0]["content"] == "名前は？\n\n猫"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (3, "not a JSON object"),
        ({"text": "a"}, "empty turn"),
        ({"messages": MESSAGES[::-1]}, "not user and assistant in turn"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role: 'tool'"),
        ({"messages": []}, "not user and assistant"),
        ({**ALPACA, "output": 7}, "neither"),
    ],
)
def test_what_is_no_dialogue_says_why(entry: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_messages(entry)


def test_a_broken_line_costs_one_entry_and_is_accounted_for(tmp_path: Path) -> None:
    good = [json.dumps({**ALPACA, "input": str(number)}) for number in range(40)]
    text = "\n".join([*good[:20], '{"instruction": "tor', *good[20:], good[0]])
    (tmp_path / "data.jsonl").write_text(text, encoding="utf-8")
    report, out = made(tmp_path)
    assert report.accounts
    report.accounts.verify("instruction_data")
    assert report.accounts.entered.documents == 42
    assert report.accounts.dropped["duplicate"].documents == 1
    assert lines(out / "quarantine.jsonl") == [
        {"file": "data.jsonl", "entry": 21, "reason": "not a JSON object"}
    ]
    assert len(lines(out / "train.jsonl")) + len(lines(out / "heldout.jsonl")) == 40


def test_a_new_entry_moves_no_old_one_between_the_splits(tmp_path: Path) -> None:
    entries = [{**ALPACA, "instruction": f"{number}は？"} for number in range(200)]
    held: list[set[str]] = []
    for name, part in (("some", entries[:150]), ("all", entries)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.json").write_text(json.dumps(part), encoding="utf-8")
        _, out = made(tmp_path / name)
        held.append({json.dumps(line) for line in lines(out / "heldout.jsonl")})
    assert held[0] and held[0] <= held[1]


def test_no_matching_file_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(CrawlError, match=r"nothing.*no instruction file matches"):
        made(tmp_path, "nothing/*.jsonl")


def test_bytes_that_are_not_utf8_are_named_by_place(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_bytes(b'{"instruction": "\x82\xa0"}')
    with pytest.raises(CrawlError, match="byte 17 is not UTF-8"):
        made(tmp_path)


def test_real_dialogues_are_read(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "instruct" / "instruction_ja" / "data.jsonl"
    (tmp_path / "data.jsonl").write_bytes(source.read_bytes())
    report, _ = made(tmp_path)
    assert report.accounts
    print(report.metrics, report.accounts.to_json()["quarantined"])
    assert report.accounts.kept.documents > 450


@pytest.mark.parametrize("pattern", ["*.json", "{here}/*.json"], ids=["relative", "absolute"])
def test_the_glob_may_be_relative_to_the_recipe_or_absolute(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")
    chat = Chat(path=pattern.format(here=tmp_path))
    assert instruction_files(chat, tmp_path) == [tmp_path / "a.json"]
