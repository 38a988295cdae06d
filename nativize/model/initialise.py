"""Where the rows of new tokens start.

All of it is arithmetic on old rows, in float32 and rounded once to the table's dtype.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import torch

from nativize.recipe import Extend

CHUNK_ROWS = 4_096
BATCH_PIECES = 1_024

SMOOTHING = 1e-3
"""a of Arora et al. 2017, who found 1e-3 to 1e-4 best."""

Pieces = Sequence[Sequence[int]]
"""For each new token the old ids of its text; empty where the base cannot write it."""


def new_rows(
    old_VD: torch.Tensor,
    pieces: Pieces,
    extend: Extend,
    *,
    is_head: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    """The rows of N new tokens, N x D in the dtype of ``old_VD``.

    Args:
        old_VD: rows of the base's ids, V tokens x D dims.
        pieces: of the new tokens; one without pieces starts at the mean of all old rows.
        extend: which of these:
            mean_of_pieces: the mean of its pieces' rows.
                Source: Gee et al. 2022, "Fast Vocabulary Transfer".
            eeve: the same for the embedding; a head of its own starts at the *first* piece's
                row, for there the model used to say that piece. Where embedding and head are one
                table this is mean_of_pieces. Source: Kim et al. 2024, "Efficient and Effective
                Vocabulary Expansion Towards Multilingual Large Language Models" (EEVE).
            frequency_weighted: the mean of its pieces' rows, each with weight a / (a + p), so that
                pieces that stand everywhere say little; p by Zipf's law from the piece's id,
                as ids of BPE follow frequency. The head of its own gets the same.
                Source: Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence
                Embeddings" (smooth inverse frequency).
            mean: the mean of all old rows. Source: Hewitt 2021, "Initializing New Word
                Embeddings for Pretrained Language Models".
            random: normal, with mean and deviation of the old rows in every dimension.
        is_head: these rows make logits and are not the embedding too.
        generator: what random draws from.
    """
    mean_D = mean_row(old_VD)
    rows_ND = mean_D.to(old_VD.dtype).repeat(len(pieces), 1)
    if extend.initialiser == "random":
        deviation_D = _deviation_row(old_VD, mean_D)
        for row_D in rows_ND:
            noise_D = torch.randn(len(mean_D), generator=generator)
            row_D.copy_(mean_D + noise_D * deviation_D)
    elif extend.initialiser != "mean":
        only_first = extend.initialiser == "eeve" and is_head
        for tokens, ids_BP in _batches([ids[:1] for ids in pieces] if only_first else pieces):
            old_BPD = old_VD[ids_BP].float()
            if extend.initialiser == "frequency_weighted":
                weights_BP = _inverse_frequencies(ids_BP, len(old_VD))
                mean_BD = (old_BPD * weights_BP[..., None]).sum(1) / weights_BP.sum(1)[:, None]
            else:
                mean_BD = old_BPD.mean(1)
            rows_ND[tokens] = mean_BD.to(rows_ND.dtype)
    return rows_ND


def _inverse_frequencies(ids_BP: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Weights of pieces, 0 to 1; p of the id r in V ids is 1 / ((r + 1) H_V), H_V about ln V."""
    frequencies_BP = 1 / ((ids_BP + 1) * math.log(vocabulary))
    return SMOOTHING / (SMOOTHING + frequencies_BP)


def _batches(pieces: Pieces) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Tokens of equally many pieces with these, B tokens x P pieces; none that has no piece.

    The same bits as one token at a time, in a tenth of the time.
    """
    by_count: defaultdict[int, list[int]] = defaultdict(list)
    for token, ids in enumerate(pieces):
        by_count[len(ids)].append(token)
    by_count.pop(0, None)
    for count, tokens in by_count.items():
        size = max(1, BATCH_PIECES // count)
        for start in range(0, len(tokens), size):
            some = tokens[start : start + size]
            yield some, torch.tensor([list(pieces[token]) for token in some])


def mean_row(old_VD: torch.Tensor) -> torch.Tensor:
    """The mean of all rows, in float32; summed in float64, a stretch at a time."""
    return (_summed(old_VD, lambda chunk_VD: chunk_VD) / len(old_VD)).float()


def all_finite(rows_ND: torch.Tensor) -> bool:
    """Whether all numbers are finite; one that is not shows in the mean.

    ``torch.isfinite`` of all rows at once takes twice their memory.
    """
    return not len(rows_ND) or bool(torch.isfinite(mean_row(rows_ND)).all())


def _deviation_row(old_VD: torch.Tensor, mean_D: torch.Tensor) -> torch.Tensor:
    squares_D = _summed(old_VD, lambda chunk_VD: chunk_VD.sub_(mean_D).square_())
    return (squares_D / len(old_VD)).sqrt().float()


def _summed(old_VD: torch.Tensor, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The sum over all rows of what is made of them, in float64; ``of`` may write into a chunk."""
    total_D = torch.zeros(old_VD.shape[1], dtype=torch.float64)
    for start in range(0, len(old_VD), CHUNK_ROWS):
        total_D += of(old_VD[start : start + CHUNK_ROWS].to(torch.float64, copy=True)).sum(0)
    return total_D
