"""Documents that hold a piece of an evaluation set take no part; what was found is reported.

It is the first step, so that a clean page can stand for its cluster where a like one is lost. A
piece is compared by 64 bits: a corpus of 10**12 shingles beside 10**6 pieces meets a foreign one
with probability 0.05, and loses one document by it.

Source: 13 words as GPT-3 (Brown et al. 2020, appendix C), which also shows the trap of phrases
that everybody uses: here templates of a file are left out (`evaluation_sets`), and the report
shows what was found most, so that a person can judge.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Report, ShardTask, Workplace
from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Mask, Numbers
from nativize.dedup.evaluation_sets import EvaluationSets, runs_of
from nativize.dedup.fold import fold, normal_form
from nativize.dedup.report import EvaluationFile, Table, shortened
from nativize.dedup.shingles import (
    COMPLICATED,
    FIELDS,
    FREE,
    HASHES,
    Shingling,
    begin,
    bit_of,
    hashes_room,
    next_hashes,
    slot_of,
    units_room,
)
from nativize.dedup.sign import Signing
from nativize.engine import CorpusEngine
from nativize.recipe import identity
from nativize.texts import Texts

log = logging.getLogger(__name__)

MOST_SHOWN = 20

Hits = NDArray[np.uint64]


@dataclass(frozen=True)
class Contamination:
    """What was found of the evaluation sets in N documents.

    Attributes:
        mask: the documents that hold a piece.
        files: what was found of each evaluation set.
        shown: the pieces that stand in most documents, as a table.
    """

    mask: Mask
    files: Sequence[EvaluationFile] = ()
    shown: Table = field(default_factory=dict)

    @classmethod
    def nothing(cls, documents: int) -> "Contamination":
        return cls(np.zeros(documents, bool))


def contaminated(
    documents: Documents,
    signing: Signing,
    sets: EvaluationSets,
    place: Workplace,
    engine: CorpusEngine,
) -> Contamination:
    """Which documents hold a piece of an evaluation set, and of which.

    Args:
        documents: all that were signed.
        signing: what pieces are folded by.
        sets: what is looked for.
        place: keeps what was found in each shard.
        engine: where shards are searched.
    """
    numbers, pieces = _found(documents, _search(documents, signing, sets, place, engine))
    mask = np.zeros(len(documents), bool)
    mask[numbers] = True
    log.info("evaluation sets: %d documents hold a piece of one", np.count_nonzero(mask))
    # every item that has the piece, of every piece found, of every document
    low, high = (np.searchsorted(sets.pieces, pieces, side) for side in ("left", "right"))
    which = np.repeat(np.arange(len(pieces)), high - low)
    entry = np.arange(len(which)) - np.repeat(np.cumsum(high - low) - high, high - low)
    return Contamination(
        mask,
        [_told(sets, file, numbers[which], entry) for file in range(len(sets.names))],
        _shown(documents, signing, sets, numbers, pieces),
    )


def _search(
    documents: Documents,
    signing: Signing,
    sets: EvaluationSets,
    place: Workplace,
    engine: CorpusEngine,
) -> Workplace:
    step = place.step("contamination")
    searches, digests = [], {}
    for length in np.unique(sets.length).tolist():
        pieces = np.unique(sets.pieces[sets.length == length])
        path = place.scratch / f"pieces-{length}.npz"
        table, bits = _table_of(pieces)
        np.savez(path, table=table, bits=bits)
        searches.append((signing.shingling()._replace(length=length), path))
        digests[str(length)] = hashlib.sha256(pieces.tobytes()).hexdigest()
    settings = {
        "pieces": digests,
        "fold": identity(signing.dedup.fold),
        "by_words": bool(signing.shingling().by_words),
        "seed": signing.dedup.seed,
    }
    tasks = [
        ShardTask(shard.stem, {"shard": digest, **settings}, (shard, searches))
        for shard, digest in zip(documents.shards, documents.digests, strict=True)
    ]
    step.shards.build(engine, search_shard, tasks, step.out)
    return step


def search_shard(path: Path, searches: Sequence[tuple[Shingling, Path]], out: Path) -> Report:
    """``<shard>.hits.npy``: n x 2, rows of the shard and the pieces that each holds, once each."""
    texts = Texts.of_column(pq.read_table(path, columns=["text"])["text"])
    found = [np.empty((0, 2), np.uint64)]
    for how, pieces in searches:
        with np.load(pieces, allow_pickle=False) as kept:
            table, bits = kept["table"], kept["bits"]
        hits, complicated = _hits(texts, how, table, bits, is_normal=False)
        again = np.flatnonzero(complicated)
        normal = Texts.of([normal_form(texts[row]) for row in again.tolist()])
        more, _ = _hits(normal, how, table, bits, is_normal=True)
        more[:, 0] = again[more[:, 0].astype(np.int64)]
        found += [hits[~complicated[hits[:, 0].astype(np.int64)]], more]
    hits = np.unique(np.concatenate(found), axis=0)
    np.save(out / f"{path.stem}.hits.npy", hits, allow_pickle=False)
    return Report()


def _table_of(pieces: Hits) -> tuple[Hits, Hits]:
    """Pieces in a table, and a filter of 64 bits a piece, which one foreign hash in 64 passes."""
    table = np.full(hashes_room(len(pieces)), FREE)
    bits = np.zeros(len(table) // 2, np.uint64)
    _fill(pieces, table, bits)
    return table, bits


def _hits(
    texts: Texts, how: Shingling, table: Hits, bits: Hits, *, is_normal: bool
) -> tuple[Hits, Mask]:
    complicated = np.zeros(len(texts), np.bool_)
    found = _hits_of(
        texts.data, texts.offsets, is_normal, how, units_room(how.length), table, bits, complicated
    )
    return found, complicated


@compiled
def _fill(pieces: Any, table: Any, bits: Any) -> None:
    for at in range(len(pieces)):
        table[slot_of(table, pieces[at])] = pieces[at]
        word, bit = bit_of(pieces[at], len(bits))
        bits[word] |= bit


@compiled
def _hits_of(
    data: Any,
    offsets: Any,
    is_normal: bool,
    how: Any,
    units: Any,
    table: Any,
    bits: Any,
    complicated: Any,
) -> Any:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    found = [(np.uint64(0), np.uint64(0))]
    for text in range(len(offsets) - 1):
        begin(state, offsets[text], is_normal)
        made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
        while made:
            for at in range(made):
                word, bit = bit_of(hashes[at], len(bits))
                if bits[word] & bit and table[slot_of(table, hashes[at])] == hashes[at]:
                    found.append((np.uint64(text), hashes[at]))
            made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
        complicated[text] = state[COMPLICATED]
    hits = np.empty((len(found) - 1, 2), np.uint64)
    for at in range(len(hits)):
        hits[at, 0], hits[at, 1] = found[at + 1]
    return hits


def _found(documents: Documents, step: Workplace) -> tuple[Numbers, Hits]:
    """Documents and the pieces that each holds; rows that were not signed are left out."""
    numbers, pieces = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for shard, path in enumerate(documents.shards):
        hits = np.load(step.out / f"{path.stem}.hits.npy")
        rows, row = documents.of_shard("row", shard), hits[:, 0]
        at = np.searchsorted(rows, row)
        signed = at < len(rows)
        signed[signed] = rows[at[signed]] == row[signed]
        numbers.append(documents.begins[shard] + at[signed])
        pieces.append(hits[signed, 1])
    return np.concatenate(numbers), np.concatenate(pieces)


def _told(sets: EvaluationSets, file: int, numbers: Numbers, entry: Numbers) -> EvaluationFile:
    here = sets.file[entry] == file
    return {
        "file": sets.names[file],
        "items": len(sets.items[file]),
        "too_short": sets.too_short[file],
        "found": len(np.unique(sets.item[entry[here]])),
        "documents": len(np.unique(numbers[here])),
    }


def _shown(
    documents: Documents, signing: Signing, sets: EvaluationSets, numbers: Numbers, pieces: Hits
) -> Table:
    """The pieces found in most documents; of pieces of one item the first alone."""
    columns = ["piece", "documents", "evaluation set", "item", "a document that has it"]
    rows: list[list[Any]] = []
    found, counts = np.unique(pieces, return_counts=True)
    seen: set[tuple[int, int]] = set()
    for at in np.lexsort((found, -counts)).tolist():
        entry = int(np.searchsorted(sets.pieces, found[at]))
        item = int(sets.file[entry]), int(sets.item[entry])
        if item in seen:
            continue
        seen.add(item)
        some = np.unique(numbers[pieces == found[at]])
        example = pc.min(documents.ids(some))
        text = _piece_as_text(sets, entry, signing)
        rows.append([text, int(counts[at]), sets.names[item[0]], item[1] + 1, example.as_py()])
        if len(rows) == MOST_SHOWN:
            break
    return {"columns": columns, "rows": rows}


def _piece_as_text(sets: EvaluationSets, entry: int, signing: Signing) -> str:
    """The folded text of a piece: where the item's runs have its hash."""
    length = int(sets.length[entry])
    how = signing.shingling()._replace(length=length)
    text = sets.items[sets.file[entry]][sets.item[entry]]
    at = int(np.flatnonzero(runs_of(text, how) == sets.pieces[entry])[0])
    folded = fold(text, signing.dedup.fold)
    units, joint = (folded.split(), " ") if how.by_words else (list(folded), "")
    return shortened(joint.join(units[at : at + length]))
