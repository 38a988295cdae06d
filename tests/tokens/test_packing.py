"""What a block says of its documents, held against a packing written out token by token."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.tokens.packing import IGNORED, Marks, pack
from nativize.vocabulary import load_encoder
from tests.tokens.conftest import make_tokens

LLAMA, QWEN, BOS_ALONE, GPT2 = Marks(1, 2), Marks(None, 2), Marks(1, None), Marks(2, 2)
TEXT = st.lists(st.integers(3, 9), min_size=1, max_size=7)


def written_out(documents: list[list[int]], marks: Marks, block: range) -> list[list[int]]:
    """Ids, labels and positions of a block, by walking through the documents."""
    rows = []
    for document in documents:
        for place, token in enumerate(marks.around(document)):
            rows.append((token, place))
    columns: list[list[int]] = [[], [], []]
    before = 0  # tokens of the document that the block has not
    for number in block:
        token, place = rows[number]
        before = 0 if place == 0 else place if number == block.start else before
        position = place - before
        for column, value in zip(
            columns, (token, token if position else IGNORED, position), strict=True
        ):
            column.append(value)
    return columns


@pytest.mark.parametrize("marks", [LLAMA, QWEN, BOS_ALONE, GPT2], ids=str)
@given(st.lists(TEXT, min_size=1, max_size=8), st.data())
def test_positions_and_labels_restart_at_each_document(
    marks: Marks, documents: list[list[int]], data: st.DataObject
) -> None:
    stream = [token for document in documents for token in marks.around(document)]
    start = data.draw(st.integers(0, len(stream) - 1))
    block = range(start, data.draw(st.integers(start + 1, len(stream))))
    packed = pack(np.array(stream[start : block.stop]), marks, "documents")
    found = [packed[name].tolist() for name in ("input_ids", "labels", "position_ids")]
    assert found == written_out(documents, marks, block)


def test_a_block_of_two_documents_and_the_beginning_of_a_third() -> None:
    packed = pack(np.array([8, 2, 1, 5, 6, 2, 1, 7]), LLAMA, "documents")
    assert packed["position_ids"].tolist() == [0, 1, 0, 1, 2, 3, 0, 1]
    assert packed["labels"].tolist() == [-100, 2, -100, 5, 6, 2, -100, 7]


def test_without_bos_a_document_starts_after_the_last_ones_end() -> None:
    packed = pack(np.array([8, 2, 5, 6, 2, 7]), QWEN, "documents")
    assert packed["position_ids"].tolist() == [0, 1, 0, 1, 2, 0]
    assert packed["labels"].tolist() == [-100, 2, -100, 6, 2, -100]


def test_concatenated_a_block_is_one_text() -> None:
    ids = np.array([8, 2, 1, 5, 6, 2])
    packed = pack(ids, LLAMA, "concatenated")
    assert packed["position_ids"].tolist() == [0, 1, 2, 3, 4, 5]
    assert packed["labels"].tolist() == ids.tolist()


def test_documents_that_nothing_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="run together"):
        Marks(None, None)


@pytest.mark.parametrize("packing", ["documents", "concatenated"])
def test_a_sample_is_packed_as_the_mixture_says(mixed: Path, tmp_path: Path, packing: str) -> None:
    shards = make_tokens(mixed, tmp_path / "tokens", packing=packing)
    bos = load_encoder(mixed / "merged").bos
    for number in range(8):
        packed = shards.packed(number)
        assert {(array.dtype, array.shape) for array in packed.values()} == {
            (np.dtype("int64"), (64,))
        }
        assert np.array_equal(packed["input_ids"], shards.sample(number))
        restarts = np.flatnonzero(packed["position_ids"] == 0)[1:]
        starts = np.flatnonzero(packed["input_ids"][1:] == bos) + 1
        assert restarts.tolist() == (starts.tolist() if packing == "documents" else [])


def test_packing_keeps_up_with_any_trainer(mixed: Path, tmp_path: Path) -> None:
    shards = make_tokens(mixed, tmp_path / "tokens", sequence_length=1_024, replay_share=0.0)
    started = time.process_time()
    for number in range(1_000):
        shards.packed(number)
    tokens_a_second = 1_000 * 1_024 / (time.process_time() - started)
    print(f"{tokens_a_second / 1e6:.1f} M tokens/s")
    assert tokens_a_second > 5e6
