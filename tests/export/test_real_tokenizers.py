"""Published tokenizers, as they are and grown, in llama.cpp over all planes of Unicode."""

import shutil
from pathlib import Path

import pytest

from nativize.export.gguf_file import write_gguf
from nativize.export.parity import Parity, Reference, compare
from nativize.export.probes import probes
from nativize.vocabulary import train_sentencepiece
from nativize.vocabulary.byte_level import grow_byte_level
from nativize.vocabulary.hugging_face import save_hugging_face
from nativize.vocabulary.piece_model import read_model
from nativize.vocabulary.rank import merge_by_rank, old_alphabet
from tests.export.byte_level import rows_of, write_json, write_model
from tests.vocabulary.composed import ENGLISH, JAPANESE, sentences

TEXTS = [*sentences(JAPANESE)[::9], *sentences(ENGLISH)[::9]]


@pytest.fixture
def gpt_neox(shared_data: Path, tmp_path: Path) -> Path:
    """A byte-level tokenizer with runs of spaces as added tokens, normalised to NFC."""
    path = shared_data / "tokenizers" / "gpt2" / "gpt-neo-tokenizer.json"
    directory = tmp_path / "gpt_neox"
    directory.mkdir()
    shutil.copyfile(path, directory / "tokenizer.json")
    named = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    write_json(directory / "tokenizer_config.json", named)
    return directory


def parity_of(directory: Path) -> Parity:
    write_model(directory, hidden_size=32, head_dim=8)
    out = directory / "m.gguf"
    write_gguf(directory, out, name="tiny", quantisation="f16")
    parity = compare(out, Reference(directory), [*TEXTS, *probes()], prompts=2)
    print(parity)
    parity.require(out, "f16")
    return parity


def test_gpt_neox_differs_only_where_text_is_not_normalised(gpt_neox: Path) -> None:
    parity = parity_of(gpt_neox)
    assert parity.texts_base_cuts_differently == 0
    assert 0 < parity.texts_not_normalised < 40


def test_a_grown_gpt_neox_differs_on_no_other_text(gpt_neox: Path) -> None:
    before = parity_of(gpt_neox)
    grown = grow_byte_level(
        gpt_neox, sentences(JAPANESE), 100, frozenset("".join(sentences(ENGLISH)))
    )
    write_json(gpt_neox / "tokenizer.json", grown.content)
    assert rows_of(gpt_neox) == grown.base_size + len(grown.pieces) > grown.base_size
    assert parity_of(gpt_neox).texts_not_normalised == before.texts_not_normalised


def test_llama_2_differs_on_no_text(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "tokenizers" / "llama2"
    for name in ("tokenizer.model", "tokenizer.json"):
        shutil.copyfile(source / name, tmp_path / name)
    parity = parity_of(tmp_path)
    assert (parity.texts_base_cuts_differently, parity.texts_not_normalised) == (0, 0)


def test_a_grown_llama_2_differs_on_no_text(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "tokenizers" / "llama2"
    train_sentencepiece(sentences(JAPANESE), tmp_path / "pieces.model", size=160)
    ranked = merge_by_rank(
        read_model(source / "tokenizer.model"),
        read_model(tmp_path / "pieces.model"),
        old_alphabet(sentences(ENGLISH)),
        source,
    )
    assert len(ranked.model.pieces) > 32_100
    (tmp_path / "tokenizer.model").write_bytes(ranked.model.SerializeToString())
    save_hugging_face(ranked.model, source, tmp_path)
    parity = parity_of(tmp_path)
    assert (parity.texts_base_cuts_differently, parity.texts_not_normalised) == (0, 0)
