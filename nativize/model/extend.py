"""The extended model: embedding and head grown to the merged vocabulary, old rows untouched.

Rows are addressed by id. Below the base's ids nothing changes by a bit; then come the new
tokens, even where the base is padded and has rows there (Qwen: 151,936 rows, 151,665 tokens);
spare rows behind them stay as they are, and what is missing up to the padding stands at the mean.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from nativize.artifact import Report, Workplace, write_json
from nativize.errors import ModelError
from nativize.model.checkpoint import Checkpoint, Rows, open_checkpoint, same_rows
from nativize.model.directory import CONFIGS, copy_tokenizer
from nativize.model.initialise import Pieces, all_finite, mean_row, new_rows
from nativize.model.tables import Table, count_parameters, find_tables
from nativize.recipe import Extend
from nativize.vocabulary import Encoder, Sizes, load_encoder, read_sizes
from nativize.vocabulary.encoder import HuggingFaceEncoder
from nativize.vocabulary.piece_model import read_model
from nativize.vocabulary.train import TOKENIZER_MODEL


def extend_model(base: Path, vocabulary_dir: Path, place: Workplace, *, extend: Extend) -> Report:
    """The base with one row of embedding and head for every id of the merged vocabulary.

    Raises:
        ModelError: the base's weights cannot be read, it has fewer rows than its tokenizer has
            ids or more than the vocabulary, or an old row changed.
    """
    sizes = read_sizes(vocabulary_dir)
    checkpoint = open_checkpoint(base)
    tables = find_tables(base, checkpoint)
    _require_room(checkpoint, tables, sizes)
    pieces = old_pieces(base, vocabulary_dir, sizes)
    generator = torch.Generator().manual_seed(extend.seed)
    grown = {
        table.name: _grown(checkpoint, table, sizes, pieces, extend, generator) for table in tables
    }
    changed = {name: parts for name, parts in grown.items() if len(parts) > 1}
    checkpoint.write(place.out, changed, place.link)
    _copy_configs(base, place.out, sizes)
    copy_tokenizer(vocabulary_dir, place.out)
    _require_old_rows(checkpoint, open_checkpoint(place.out), tables, sizes)
    return Report(
        {
            "vocabulary_size": sizes.padded_size,
            "new_rows": sizes.padded_size - sizes.base_size,
            "parameters": count_parameters(place.out),
            "pieces_per_new_token": round(sum(map(len, pieces)) / max(len(pieces), 1), 3),
            "new_tokens_without_pieces": sum(not ids for ids in pieces),
        }
    )


def old_pieces(base: Path, vocabulary_dir: Path, sizes: Sizes) -> list[list[int]]:
    """For each new token the base's ids of its text; none where the base cannot write it.

    Byte-level pieces may end inside a character, which no text says: the base's merges cut the
    piece itself. Others are cut behind a newline, where no space is put before them.
    """
    new = range(sizes.base_size, sizes.size)
    if not new:
        return []
    before, after = load_encoder(base), load_encoder(vocabulary_dir)
    if isinstance(before, HuggingFaceEncoder) and isinstance(after, HuggingFaceEncoder):
        merges = before.tokenizer.model
        texts = [after.tokenizer.id_to_token(token) or "" for token in new]
        return [[piece.id for piece in merges.tokenize(text)] for text in texts]
    return _behind_newline(before, after, new, unknown=_unknown(base))


def _behind_newline(
    before: Encoder, after: Encoder, new: range, *, unknown: int | None
) -> list[list[int]]:
    (newline,) = before.encode(["\n"])
    lines = after.decode([[*newline, token] for token in new])
    pieces = []
    for line, ids in zip(lines, before.encode(lines), strict=True):
        if ids[: len(newline)] != newline:
            (ids,) = before.encode([line[1:]])
        else:
            ids = ids[len(newline) :]
        pieces.append([token for token in ids if token != unknown])
    return pieces


def _unknown(base: Path) -> int | None:
    path = base / TOKENIZER_MODEL
    return int(read_model(path).trainer_spec.unk_id) if path.exists() else None


def _grown(
    checkpoint: Checkpoint,
    table: Table,
    sizes: Sizes,
    pieces: Pieces,
    extend: Extend,
    generator: torch.Generator,
) -> list[Rows]:
    """The rows of a table: old ones by number, new ones by value; a bias is a table of width 1."""
    stored = checkpoint.load(table.name)
    old_VD = stored[: sizes.base_size].reshape(sizes.base_size, -1)
    rows = new_rows(old_VD, pieces, extend, is_head=table.is_head, generator=generator)
    behind = max(sizes.size, len(stored))
    fillers = mean_row(old_VD).to(stored.dtype).expand(sizes.padded_size - behind, -1)
    if not all_finite(rows) or not all_finite(fillers):
        raise ModelError(
            f"{checkpoint.tensors[table.name].path}: {table.name} has numbers that are not finite,"
            " so that new rows would not be either; fetch the model again"
        )
    parts: list[Rows] = [
        range(sizes.base_size),
        rows.reshape(-1, *stored.shape[1:]),
        range(sizes.size, len(stored)),
        fillers.reshape(-1, *stored.shape[1:]),
    ]
    return _joined([part for part in parts if len(part)])


def _joined(parts: list[Rows]) -> list[Rows]:
    """Old rows that follow each other as one range; one range alone is the old table."""
    first, *others = parts
    if others and isinstance(first, range) and isinstance(others[0], range):
        return [range(first.start, others[0].stop), *others[1:]]
    return parts


def _require_room(checkpoint: Checkpoint, tables: Sequence[Table], sizes: Sizes) -> None:
    for table in tables:
        stored = checkpoint.tensors[table.name]
        rows = stored.shape[0]
        if rows < sizes.base_size:
            raise ModelError(
                f"{stored.path}: {table.name} has {rows} rows, but its tokenizer has"
                f" {sizes.base_size} ids; take weights and tokenizer of the same revision"
            )
        if rows > sizes.padded_size:
            raise ModelError(
                f"{stored.path}: {table.name} has {rows} rows, the vocabulary is made for"
                f" {sizes.padded_size}, and rows are never taken away; materialise"
                " merged_vocabulary again"
            )


def _require_old_rows(
    before: Checkpoint, after: Checkpoint, tables: Sequence[Table], sizes: Sizes
) -> None:
    for table in tables:
        old, new = before.tensors[table.name], after.tensors[table.name]
        if new.shape[0] != sizes.padded_size or not same_rows(old, new, range(sizes.base_size)):
            raise ModelError(
                f"{old.path}: an old row of {table.name} changed while it grew; nothing was"
                " published. Materialise extended_model again"
            )


def _copy_configs(base: Path, out: Path, sizes: Sizes) -> None:
    """Config and generation config, with the new size; special ids are those of the base."""
    for name in CONFIGS:
        if (base / name).exists():
            config = json.loads((base / name).read_text(encoding="utf-8"))
            config.pop("transformers_version", None)
            if name == CONFIGS[0]:
                nested = "vocab_size" not in config and "text_config" in config
                (config["text_config"] if nested else config)["vocab_size"] = sizes.padded_size
            write_json(out / name, config)
