"""Dialogues as training samples: the loss falls on the answers and their end alone.

The text is the chat template's, so a trained model meets at use what it met in training. A token
belongs to an answer when its first character does.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from nativize.artifact import file_digests
from nativize.chat.template import read_template
from nativize.errors import ModelError
from nativize.tokens.packing import IGNORED

Sample = Mapping[str, Sequence[int]]


class ChatSamples:
    """Every usable dialogue of train.jsonl, in a new order each epoch.

    Attributes:
        unusable: how many dialogues are not trained on, by reason.
    """

    def __init__(self, data: Path, model: Path, maximum_tokens: int, seed: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        self.template = read_template(data)
        self.maximum_tokens = maximum_tokens
        self.seed = seed
        self.unusable = {"control_token_in_text": 0, "answer_beyond_maximum_tokens": 0}
        self._digest = _digest(data)
        self._samples = list(self._read(data / "train.jsonl"))
        if not self._samples:
            raise ModelError(
                f"{data}: no dialogue can be trained on ({self.unusable}); raise"
                " chat.maximum_tokens or mend the data"
            )

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, position: int) -> Sample:
        """The sample at a position of the whole training; epochs follow one another."""
        epoch, index = divmod(position, len(self))
        return self._samples[int(_order(self.seed, epoch, len(self))[index])]

    def digest(self) -> str:
        return self._digest

    def encode(self, messages: Sequence[Mapping[str, str]]) -> Sample:
        """Ids and labels of a dialogue, cut at ``maximum_tokens``."""
        text = self._render(messages)
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        answers = list(self._answers(messages))
        labels = [
            token if any(start <= offset[0] < end for start, end in answers) else IGNORED
            for token, offset in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]
        cut = slice(self.maximum_tokens)
        return {"input_ids": encoded["input_ids"][cut], "labels": labels[cut]}

    def _read(self, path: Path) -> Iterator[Sample]:
        control = [token for token in self.tokenizer.all_special_tokens if token]
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            messages = json.loads(line.decode("utf-8", "surrogatepass"))["messages"]
            if any(token in turn["content"] for turn in messages for token in control):
                self.unusable["control_token_in_text"] += 1
                continue
            sample = self.encode(messages)
            if all(label == IGNORED for label in sample["labels"]):
                self.unusable["answer_beyond_maximum_tokens"] += 1
                continue
            yield sample

    def _answers(self, messages: Sequence[Mapping[str, str]]) -> Iterator[tuple[int, int]]:
        """Where in the text each answer stands, its end token included."""
        for index, message in enumerate(messages):
            if message["role"] == "assistant":
                yield len(self._render(messages[:index])), len(self._render(messages[: index + 1]))

    def _render(self, messages: Sequence[Mapping[str, str]]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            list(messages), chat_template=self.template, tokenize=False
        )
        return text


def _digest(data: Path) -> str:
    digests = file_digests(data)
    lines = [f"{name} {digests[name]}\n" for name in ("template.json", "train.jsonl")]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng([seed, epoch]).permutation(count)
