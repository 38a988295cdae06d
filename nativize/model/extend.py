"""The extended model: embedding and head grown to the merged vocabulary, old rows untouched.

A new token starts where its old pieces were on average, which is where the model already reads
its surface: Gee et al. 2022, "Fast Vocabulary Transfer"; Swallow (Fujii et al. 2024) does so too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from nativize.artifact import Report, Workplace
from nativize.errors import ModelError
from nativize.model.directory import copy_tokenizer, load_model, save_model
from nativize.recipe import Extend
from nativize.vocabulary import Sizes, read_sizes

SPACE = "▁"


def extend_model(base: Path, vocabulary_dir: Path, place: Workplace, *, extend: Extend) -> Report:
    """The base with one row of embedding and head for every id of the merged vocabulary.

    Raises:
        ModelError: the base has fewer rows than its tokenizer has ids, or an old row changed.
    """
    sizes = read_sizes(vocabulary_dir)
    model = load_model(base)
    old = [weight.detach().clone() for weight in _tables(model)]
    rows = old[0].shape[0]
    if rows < sizes.base_size:
        raise ModelError(f"{base}: {rows} embedding rows, but its tokenizer has {sizes.base_size}")
    pieces = old_pieces(base, vocabulary_dir, sizes)
    model.resize_token_embeddings(sizes.padded_size, mean_resizing=False)
    for weight_VD, old_VD in zip(_tables(model), old, strict=True):
        start_VD = old_VD[: sizes.base_size]
        with torch.no_grad():
            weight_VD[: sizes.base_size] = start_VD
            weight_VD[sizes.base_size :] = new_rows(start_VD, pieces, sizes, extend)
        if not torch.equal(weight_VD[: sizes.base_size], start_VD):
            raise ModelError(f"{base}: an old row changed while the embedding grew")
    save_model(model, place.out)
    copy_tokenizer(vocabulary_dir, place.out)
    return Report(
        {
            "vocabulary_size": sizes.padded_size,
            "new_rows": sizes.padded_size - sizes.base_size,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "pieces_per_new_token": round(sum(map(len, pieces)) / max(len(pieces), 1), 3),
        }
    )


def old_pieces(base: Path, vocabulary_dir: Path, sizes: Sizes) -> list[list[int]]:
    """For each new token the base's ids of its surface, at the start of a line.

    Raises:
        ModelError: the base cannot write a new token's surface at all; names the token.
    """
    merged = Tokenizer.from_file(str(vocabulary_dir / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    prefix = _ids(tokenizer, "\n")
    pieces = []
    for token in range(sizes.base_size, sizes.size):
        surface = (merged.id_to_token(token) or "").replace(SPACE, " ")
        ids = _ids(tokenizer, "\n" + surface)  # behind a newline there is no added space
        ids = ids[len(prefix) :] if ids[: len(prefix)] == prefix else _ids(tokenizer, surface)
        if not ids:
            raise ModelError(f"{base}: no old piece for new token {token} {surface!r}")
        pieces.append(ids)
    return pieces


def new_rows(
    old_VD: torch.Tensor, pieces: Sequence[Sequence[int]], sizes: Sizes, extend: Extend
) -> torch.Tensor:
    """The rows of new tokens and fillers, in the dtype of ``old_VD``.

    Args:
        old_VD: rows of the base's ids, V tokens x D dims.
        pieces: for each new token its old ids; never empty.
        sizes: how many rows are wanted; rows beyond the new tokens are fillers at the mean.
        extend: mean_of_pieces, mean, or random (normal, with the old rows' mean and deviation).
    Source: Gee et al. 2022 (mean of pieces); Hewitt 2021 (mean).
    """
    wide_VD = old_VD.float()
    mean_D = wide_VD.mean(0)
    rows_ND = mean_D.repeat(sizes.padded_size - sizes.base_size, 1)
    if extend.initialiser == "mean_of_pieces":
        for row, ids in enumerate(pieces):
            rows_ND[row] = wide_VD[list(ids)].mean(0)
    elif extend.initialiser == "random":
        generator = torch.Generator().manual_seed(extend.seed)
        noise_ND = torch.randn(len(pieces), old_VD.shape[1], generator=generator)
        rows_ND[: len(pieces)] = mean_D + noise_ND * wide_VD.std(0)
    return rows_ND.to(old_VD.dtype)


def _tables(model: Any) -> list[torch.Tensor]:
    """Embedding and head; one table where they are tied."""
    tables = [model.get_input_embeddings().weight]
    head = model.get_output_embeddings()
    if head is not None and head.weight is not tables[0]:
        tables.append(head.weight)
    return tables


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids
