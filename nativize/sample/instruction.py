"""Questions and answers in Japanese, made of the same facts as the documents.

Alpaca's keys ("instruction", "input", "output"); no question of the held-out part stands in
the training part, while the facts behind it stand in the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from nativize.sample.compose import POLITE, Pen
from nativize.sample.material import load_material
from nativize.sample.records import json_line, write_atomically

TRAINING_PAIRS = 400
HELD_OUT_PAIRS = 30


def write_instructions(folder: Path, *, seed: int) -> dict[str, int]:
    """Write train.jsonl and heldout.jsonl into ``folder`` and return their numbers of pairs."""
    random = Random(f"{seed}:instruction")
    pairs = list(_pairs(random))
    random.shuffle(pairs)
    heldout = pairs[:HELD_OUT_PAIRS]
    train = pairs[HELD_OUT_PAIRS : HELD_OUT_PAIRS + TRAINING_PAIRS]
    for name, part in (("train", train), ("heldout", heldout)):
        write_atomically(folder / f"{name}.jsonl", b"".join(map(json_line, part)))
    return {"instruction_train": len(train), "instruction_heldout": len(heldout)}


def _pairs(random: Random) -> Iterator[dict[str, str]]:
    """Yield every pair that the material allows, each with one of its wordings."""
    material = load_material("ja")
    pen = Pen(material, random, POLITE)
    for topic in material.topics:
        for subject in topic.subjects:
            pen.take_up(topic, subject)
            for question in material.questions:
                yield _pair(pen, random.choice(question["ask"]), question)
            for ask, answer in topic.questions:
                yield _pair(pen, ask, {"answer": answer})


def _pair(pen: Pen, ask: str, question: Mapping[str, Any]) -> dict[str, str]:
    return {
        "instruction": pen.write(ask),
        "input": pen.write(question.get("input", "")),
        "output": pen.write(question["answer"]),
    }
