"""Bits per byte: what a model needs to write a text down.

Rolling as in EleutherAI's lm-evaluation-harness: a document is cut into windows, each token is
scored once, the first window begins with BOS and each later one with the last token before it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from nativize.evaluate.heldout import Heldout
from nativize.vocabulary import Encoder

LONGEST_WINDOW = 2_048
BATCH_TOKENS = 4_096
"""Tokens in one forward pass; bounds memory, as logits are tokens x vocabulary."""


def bits_per_byte(model: Any, encoder: Encoder, heldout: Heldout) -> float:
    """Bits of surprise per UTF-8 byte of the text, tokens of the model's own vocabulary."""
    documents = encoder.encode(heldout.texts)
    length = min(LONGEST_WINDOW, int(model.config.max_position_embeddings))
    start = encoder.bos if encoder.bos is not None else encoder.eos
    windows = [
        window
        for ids in documents
        for window in rolling_windows(ids, length, 0 if start is None else start)
    ]
    nats = sum(_nats(model, batch) for batch in _batches(windows))
    return nats / math.log(2) / heldout.bytes


def rolling_windows(ids: Sequence[int], length: int, start: int) -> list[list[int]]:
    """Windows of at most ``length`` + 1 ids: one of context, the others scored, each id once."""
    tape = [start, *ids]
    return [list(tape[at : at + length + 1]) for at in range(0, len(ids), length)]


def _batches(windows: list[list[int]]) -> Iterator[list[list[int]]]:
    """Windows of like length together; sorted, so padding is small and the sum always the same."""
    batch: list[list[int]] = []
    for window in sorted(windows, key=lambda window: (-len(window), window)):
        if batch and (len(batch) + 1) * len(batch[0]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _nats(model: Any, windows: list[list[int]]) -> float:
    longest = max(map(len, windows))
    ids_BT = torch.zeros(len(windows), longest, dtype=torch.long)
    scored_BT = torch.zeros(len(windows), longest, dtype=torch.bool)
    for row, window in enumerate(windows):
        ids_BT[row, : len(window)] = torch.tensor(window)
        scored_BT[row, : len(window)] = True
    ids_BT, scored_BT = ids_BT.to(model.device), scored_BT.to(model.device)
    with torch.no_grad():  # causal attention: padding on the right changes nothing before it
        logits_BTV = model(input_ids=ids_BT[:, :-1]).logits
    losses_N = torch.nn.functional.cross_entropy(
        logits_BTV[scored_BT[:, 1:]].float(), ids_BT[:, 1:][scored_BT[:, 1:]], reduction="none"
    )
    return float(losses_N.double().sum())
