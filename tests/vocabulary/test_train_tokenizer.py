import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from nativize.artifact import standalone
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary import sample_texts, train_base_tokenizer, train_sentencepiece
from nativize.vocabulary.train import train_tokenizer
from tests.vocabulary.composed import ENGLISH, JAPANESE, documents, sentences, write_shard


def load(path: Path) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def test_a_sample_too_small_says_the_largest_size_it_can_carry(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"cannot carry 5000 pieces, at most \d+"):
        train_sentencepiece(sentences(JAPANESE), tmp_path / "m", size=5000)


def test_a_size_below_the_alphabet_says_the_smallest_size(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"raise the vocabulary size to \d+"):
        train_sentencepiece(sentences(JAPANESE), tmp_path / "m", size=10)


def test_no_text_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="no text"):
        train_sentencepiece([], tmp_path / "m", size=100)


def test_nothing_is_written_when_training_fails(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError):
        train_sentencepiece([], tmp_path / "m", size=100)
    assert not list(tmp_path.iterdir())


def test_the_base_tokenizer_has_llamas_special_ids_and_bytes(tmp_path: Path) -> None:
    train_base_tokenizer(sentences(ENGLISH), tmp_path / "m", size=400)
    processor = load(tmp_path / "m")
    assert [processor.id_to_piece(i) for i in range(4)] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert processor.get_piece_size() == 400
    assert processor.decode(processor.encode("日本 and  spaces")) == "日本 and  spaces"


def test_the_base_tokenizer_cuts_numbers_into_digits(tmp_path: Path) -> None:
    train_base_tokenizer(sentences(ENGLISH), tmp_path / "m", size=400)
    assert load(tmp_path / "m").encode("1923", out_type=str) == ["▁", "1", "9", "2", "3"]


def test_long_lines_are_cut_and_not_left_out(tmp_path: Path) -> None:
    line = "".join(sentences(JAPANESE))
    train_sentencepiece([line], tmp_path / "m", size=150)
    assert load(tmp_path / "m").get_piece_size() == 150


def test_pieces_are_learned_under_identity_normalisation(tmp_path: Path) -> None:
    train_sentencepiece(["ＡＢＣ全角 " * 20], tmp_path / "m", size=12)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((tmp_path / "m").read_bytes())
    assert "Ａ" in "".join(entry.piece for entry in model.pieces)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_the_same_text_makes_the_same_bytes_in_another_process(tmp_path: Path, kind: str) -> None:
    code = (
        "import sys; from pathlib import Path; from nativize.vocabulary import train_sentencepiece;"
        "from tests.vocabulary.composed import *;"
        f"train_sentencepiece(sentences(JAPANESE), Path(sys.argv[1]), size=80, kind='{kind}')"
    )
    digests = set()
    for seed in ("1", "2"):
        out = tmp_path / seed
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        subprocess.run([sys.executable, "-c", code, str(out)], check=True, env=environment)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_sample_is_spread_over_all_shards_and_bounded(workshop: Path) -> None:
    sample = sample_texts(workshop / "new", "train", 2_000)
    assert sum(len(text) for text in sample) <= 2_000
    everything = sample_texts(workshop / "new", "train", 10**9)
    positions = [next(i for i, t in enumerate(everything) if t.startswith(s)) for s in sample]
    assert positions[0] == 0 and positions[-1] > len(everything) * 0.6


def test_a_sample_holds_what_survived_alone(workshop: Path) -> None:
    texts = documents(JAPANESE)
    assert sorted(sample_texts(workshop / "new", "train", 10**9)) == sorted(texts[:-2])
    assert sample_texts(workshop / "new", "heldout", 10**9) == texts[-2:]


def test_a_sample_of_a_split_without_documents_is_empty(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", [("train", "春になると"), ("near_duplicate", "春になると！")])
    assert sample_texts(tmp_path, "heldout", 1_000) == []


def test_without_expansion_a_small_corpus_is_no_error(workshop: Path, tmp_path: Path) -> None:
    """No piece is used then: the size that the text carries is taken."""
    with standalone(tmp_path / "out") as place:
        report = train_tokenizer(workshop / "new", place, vocabulary=Vocabulary(mode="none"))
    assert load(tmp_path / "out" / "tokenizer.model").get_piece_size() == report.metrics["pieces"]
    with (
        pytest.raises(VocabularyError, match=r"8,?000"),
        standalone(tmp_path / "rank") as place,
    ):
        train_tokenizer(workshop / "new", place, vocabulary=Vocabulary(mode="rank"))
