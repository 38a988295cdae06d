"""New tokens of byte-level bases: what the base wrote for them, also inside a character."""

from pathlib import Path

import pytest

from nativize.artifact import standalone
from nativize.model.extend import old_pieces
from nativize.recipe import Vocabulary
from nativize.vocabulary import merge_vocabulary, read_sizes
from nativize.vocabulary.byte_level import bytes_of
from nativize.vocabulary.encoder import HuggingFaceEncoder
from tests.model.tiny import Tiny
from tests.vocabulary.byte_level_base import KINDS, write_byte_level_base


def text_or_none(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_old_pieces_are_the_bytes_of_the_new_token_as_the_base_cuts_them(
    tiny: Tiny, tmp_path: Path, kind: str
) -> None:
    base = write_byte_level_base(tmp_path / "base", kind, rows=900)
    with standalone(tmp_path / "merged") as place:
        merge_vocabulary(
            base, tiny.root / "tokenizer", tiny.new, tiny.old, place, vocabulary=Vocabulary()
        )
    sizes = read_sizes(tmp_path / "merged")
    before, after = HuggingFaceEncoder(base), HuggingFaceEncoder(tmp_path / "merged")
    parts = 0
    new = range(sizes.base_size, sizes.size)
    for token, ids in zip(new, old_pieces(base, tmp_path / "merged", sizes), strict=True):
        content = bytes_of(after.tokenizer.id_to_token(token))
        assert b"".join(bytes_of(before.tokenizer.id_to_token(one)) for one in ids) == content
        text = text_or_none(content)
        if text is None:
            parts += 1
        else:
            assert before.encode([text]) == [ids]
    print(f"{kind}: {len(new)} new tokens, {parts} of them not whole characters")
    assert parts > 0
