"""Instruction data of several makes, as one form of messages with a held-out split.

Read: Alpaca (instruction, input, output), messages (role, content), ShareGPT conversations
(from, value) and utterances (name, text); JSON lists and JSON lines. What is no dialogue is
quarantined with its place, never dropped in silence.
"""

import glob
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nativize.artifact import Accounts, Report, Workplace, sha256_of, write_atomically, write_json
from nativize.chat.template import TEMPLATES, plain_teller, read_template
from nativize.errors import CrawlError
from nativize.recipe import Chat

HELDOUT_PERMILLE = 50
"""Held out of each thousand samples, by the digest of the first question: stable as data grow."""

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "agent": "assistant",
}
TURN_LISTS = ("messages", "conversations", "utterances")
ROLE_KEYS = ("role", "from", "name")
CONTENT_KEYS = ("content", "value", "text")

Message = dict[str, str]


@dataclass(frozen=True)
class Entry:
    """One entry of a file: its number, its raw text, and its value where it is JSON."""

    number: int
    raw: str
    value: Any


def make_instruction_data(place: Workplace, *, chat: Chat, directory: Path) -> Report:
    """train.jsonl and heldout.jsonl of messages, and the template they are told in.

    Raises:
        CrawlError: no file matches, a file is not UTF-8, or no dialogue is left.
    """
    accounts = Accounts()
    splits: dict[str, list[str]] = {"train": [], "heldout": []}
    quarantine: list[str] = []
    seen: set[str] = set()
    for path in instruction_files(chat, directory):
        for entry in _entries(path):
            accounts.enter(entry.raw)
            try:
                line = _line(read_messages(entry.value))
            except ValueError as error:
                accounts.quarantine(entry.raw)
                place_of = {"file": path.name, "entry": entry.number, "reason": str(error)}
                quarantine.append(json.dumps(place_of, ensure_ascii=False))
                continue
            if line in seen:
                accounts.drop("duplicate", entry.raw)
                continue
            seen.add(line)
            accounts.keep(entry.raw)
            splits[_split(line)].append(line)
    if not seen:
        raise CrawlError(f"{directory / chat.path}: no entry is a dialogue; see the docs for forms")
    _write(place.out, splits, quarantine, chat)
    return Report({name: len(lines) for name, lines in splits.items()}, accounts)


def instruction_files(chat: Chat, directory: Path) -> list[Path]:
    """The files of the recipe's glob, sorted.

    Raises:
        CrawlError: none.
    """
    # glob.glob also takes absolute patterns, which Path.glob refuses
    found = glob.glob(str(directory / chat.path), recursive=True)
    paths = sorted(path for path in map(Path, found) if path.is_file())
    if not paths:
        raise CrawlError(
            f"{directory / chat.path}: no instruction file matches; correct chat.path (it is"
            " relative to the recipe), or leave [chat] out"
        )
    return paths


def instruction_digests(chat: Chat, directory: Path) -> dict[str, str]:
    """Name → SHA-256 of the files: what the instruction data is made of."""
    return {path.name: sha256_of(path) for path in instruction_files(chat, directory)}


def training_texts(data: Path) -> Iterator[str]:
    """The training dialogues of instruction data as its template tells them, in plain text."""
    tell = plain_teller(read_template(data))
    with (data / "train.jsonl").open("rb") as lines:
        for line in lines:
            yield tell(json.loads(line.decode("utf-8", "surrogatepass"))["messages"])


def read_messages(entry: Any) -> list[Message]:
    """The dialogue of one entry: an optional system turn, then user and assistant in turn.

    Raises:
        ValueError: it is none; says why.
    """
    if not isinstance(entry, Mapping):
        raise ValueError("not a JSON object")
    key = next((key for key in TURN_LISTS if isinstance(entry.get(key), list)), None)
    messages = _turns(entry[key]) if key else _alpaca(entry)
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        raise ValueError(f"turns are {roles}, not user and assistant in turn")
    if not all(message["content"].strip() for message in messages):
        raise ValueError("an empty turn")
    return messages


def _alpaca(entry: Mapping[str, Any]) -> list[Message]:
    question, more, answer = (entry.get(key, "") for key in ("instruction", "input", "output"))
    if not all(isinstance(text, str) for text in (question, more, answer)):
        raise ValueError("neither a list of turns nor Alpaca's instruction, input and output")
    content = f"{question}\n\n{more}" if more else question
    return [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]


def _turns(turns: list[Any]) -> list[Message]:
    messages = []
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise ValueError("a turn is not a JSON object")
        role = next((turn[key] for key in ROLE_KEYS if key in turn), None)
        content = next((turn[key] for key in CONTENT_KEYS if key in turn), None)
        if not isinstance(role, str) or role not in ROLES or not isinstance(content, str):
            raise ValueError(f"a turn without known role and text (role: {role!r})")
        messages.append({"role": ROLES[role], "content": content})
    return messages


def _entries(path: Path) -> Iterator[Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CrawlError(f"{path}: byte {error.start} is not UTF-8; convert the file") from error
    if path.suffix == ".json":
        yield from _json_entries(path, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Entry(number, line, _value(line))


def _json_entries(path: Path, text: str) -> Iterator[Entry]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise CrawlError(f"{path}: not valid JSON: {error}; one entry a line is .jsonl") from error
    for number, value in enumerate(values if isinstance(values, list) else [values]):
        yield Entry(number, json.dumps(value, ensure_ascii=False), value)


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None  # quarantined as "not a JSON object"


def _line(messages: list[Message]) -> str:
    return json.dumps({"messages": messages}, ensure_ascii=False, sort_keys=True)


def _split(line: str) -> str:
    messages = json.loads(line)["messages"]
    question = next(message["content"] for message in messages if message["role"] == "user")
    digest = hashlib.sha256(question.encode("utf-8", "surrogatepass")).digest()
    is_heldout = int.from_bytes(digest[:8], "big") % 1000 < HELDOUT_PERMILLE
    return "heldout" if is_heldout else "train"


def _write(out: Path, splits: Mapping[str, list[str]], quarantine: list[str], chat: Chat) -> None:
    files = {f"{name}.jsonl": lines for name, lines in splits.items()}
    if quarantine:
        files["quarantine.jsonl"] = quarantine
    for name, lines in files.items():
        content = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
        write_atomically(out / name, partial(Path.write_bytes, data=content))
    write_json(
        out / "template.json", {"name": chat.template, "chat_template": TEMPLATES[chat.template]}
    )
