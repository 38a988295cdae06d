"""Where the rows of new tokens start.

All of it is arithmetic on old rows, in float32 and rounded once to the table's dtype.
"""

from collections.abc import Callable, Sequence

import torch

from nativize.recipe import Extend

CHUNK_ROWS = 4_096

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
        for row_D, ids in zip(rows_ND, pieces, strict=True):
            if ids:
                row_D.copy_(old_VD[list(ids[:1] if only_first else ids)].float().mean(0))
    return rows_ND


def mean_row(old_VD: torch.Tensor) -> torch.Tensor:
    """The mean of all rows, in float32; summed in float64, a stretch at a time."""
    return (_summed(old_VD, lambda chunk_VD: chunk_VD) / len(old_VD)).float()


def _deviation_row(old_VD: torch.Tensor, mean_D: torch.Tensor) -> torch.Tensor:
    squares_D = _summed(old_VD, lambda chunk_VD: (chunk_VD - mean_D) ** 2)
    return (squares_D / len(old_VD)).sqrt().float()


def _summed(old_VD: torch.Tensor, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    total_D = torch.zeros(old_VD.shape[1], dtype=torch.float64)
    for start in range(0, len(old_VD), CHUNK_ROWS):
        total_D += of(old_VD[start : start + CHUNK_ROWS].double()).sum(0)
    return total_D
