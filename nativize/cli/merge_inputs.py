"""What `merge-vocabulary` may be given, as the directories and corpora that the stage reads."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nativize.artifact import write_json
from nativize.dedup.corpus import write_shard
from nativize.errors import VocabularyError
from nativize.sample.compose import compose
from nativize.sample.material import load_material
from nativize.vocabulary.encoder import read_json
from nativize.vocabulary.merge import TOKENIZER_FILES
from nativize.vocabulary.piece_model import (
    NORMAL,
    Model,
    append_piece,
    read_model,
    surface,
)
from nativize.vocabulary.rank import LATIN, TYPOGRAPHY
from nativize.vocabulary.train import TOKENIZER_MODEL

TOKENIZER_JSON = "tokenizer.json"
PROBE_DOCUMENTS = 200
PIECES_A_LINE = 20


@dataclass(frozen=True)
class Given:
    """Directories with the names that the stage expects.

    Attributes:
        base: of the base's tokenizer.
        pieces: of the new language's ``tokenizer.model``; the base's where none is wanted.
        size: ids of the base's ``tokenizer.model``; 0 where it has none.
        offered: pieces that text can hold, and the pad token.
    """

    base: Path
    pieces: Path
    size: int
    offered: Sequence[str]


def as_given(base: Path, pieces: Path | None, pad_token: str | None, scratch: Path) -> Given:
    """Files and directories as directories; copies are below ``scratch`` where any are needed.

    Args:
        base: directory or file of the base's tokenizer.
        pieces: directory or file of the new pieces; None where the base is kept.
        pad_token: one more piece behind the new ones, with which batches are filled.
        scratch: where to copy to.
    Raises:
        VocabularyError: there is no model of pieces, or the pad token is a piece already.
    """
    place = _directory_of(base, scratch / "base")
    if pad_token is not None:
        place = _with_setting(place, pad_token, scratch / "base_padded")
    own = place / TOKENIZER_MODEL
    size = len(read_model(own).pieces) if own.exists() else 0
    if pieces is None:
        return Given(place, place, size, [])
    path = pieces / TOKENIZER_MODEL if pieces.is_dir() else pieces
    model = read_model(path)
    if pad_token is not None:
        known = {entry.piece for entry in model.pieces}
        if pad_token in known:
            raise VocabularyError(f"{path}: {pad_token!r} is a piece of it; name another pad token")
        append_piece(model, pad_token, 0.0)
    offered = [entry.piece for entry in model.pieces if entry.type == NORMAL]
    return Given(place, _written(model, scratch / "pieces"), size, offered)


def probe_corpora(given: Given, scratch: Path) -> tuple[Path, Path]:
    """Two small corpora for the gates where there is no other text: the new and the old language.

    The new one is the offered pieces one behind the other, the old one composed English and all
    Latin letters.
    """
    new = write_shard(scratch / "probe_new", "probe", list(_lines_of_pieces(given.offered)) or [""])
    generator, material = random.Random(1), load_material("en")
    composed = (compose(material, generator).paragraphs for _ in range(PROBE_DOCUMENTS))
    english = ["\n".join(paragraphs) for paragraphs in composed]
    letters = [LATIN, TYPOGRAPHY, " ".join(LATIN), " ".join(TYPOGRAPHY)]
    return new, write_shard(scratch / "probe_old", "probe", [*english, *letters])


def _directory_of(path: Path, copy: Path) -> Path:
    """A directory that holds a tokenizer's file under the name it should have."""
    if path.is_dir():
        if not any((path / name).exists() for name in (TOKENIZER_MODEL, TOKENIZER_JSON)):
            raise VocabularyError(
                f"{path}: neither {TOKENIZER_MODEL} nor {TOKENIZER_JSON} is in it; name the base"
                " model's directory or one of these files"
            )
        return path
    content = path.read_bytes()
    name = TOKENIZER_JSON if content.lstrip()[:1] == b"{" else TOKENIZER_MODEL
    copy.mkdir(parents=True, exist_ok=True)
    (copy / name).write_bytes(content)
    return copy


def _with_setting(base: Path, pad_token: str, copy: Path) -> Path:
    """The base's tokenizer, whose settings name a pad token."""
    copy.mkdir(parents=True, exist_ok=True)
    for name in (*TOKENIZER_FILES, "config.json"):
        if (base / name).exists():
            (copy / name).write_bytes((base / name).read_bytes())
    settings = read_json(copy / "tokenizer_config.json")
    write_json(copy / "tokenizer_config.json", {**settings, "pad_token": pad_token})
    return copy


def _written(model: Model, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / TOKENIZER_MODEL).write_bytes(model.SerializeToString())
    return directory


def _lines_of_pieces(pieces: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(pieces), PIECES_A_LINE):
        yield "".join(map(surface, itertools.islice(pieces, start, start + PIECES_A_LINE)))
