import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from nativize.artifact import standalone
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary import (
    fertility,
    load_encoder,
    merge_vocabulary,
    read_sizes,
    train_sentencepiece,
)
from nativize.vocabulary.gates import Forms, disagreeing
from nativize.vocabulary.hugging_face import to_hugging_face
from nativize.vocabulary.merge import merge_classic
from nativize.vocabulary.piece_model import (
    UNUSED,
    append_piece,
    copy_model,
    encoder_of,
    read_model,
    unreachable_pieces,
)
from nativize.vocabulary.rank import merge_by_rank, old_alphabet
from tests.vocabulary.composed import ENGLISH, JAPANESE, sentences, write_vocabulary

CHINESE_LLAMA = "e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0"
CHINESE_ALPACA = "2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8"


def merge(workshop: Path, out: Path, base: Path | None = None, **recipe: object) -> dict:
    vocabulary = Vocabulary.model_validate({"size": 160, **recipe})
    corpora = workshop / "new", workshop / "old"
    base = base or workshop / "base"
    with standalone(out) as place:
        return dict(
            merge_vocabulary(
                base, workshop / "tokenizer", *corpora, place, vocabulary=vocabulary
            ).metrics
        )


def test_the_old_language_keeps_every_id(workshop: Path) -> None:
    before, after = load_encoder(workshop / "base"), load_encoder(workshop / "merged")
    lines = sentences(ENGLISH)
    assert before.encode(lines) == after.encode(lines)


@pytest.fixture(scope="module")
def forms(workshop: Path) -> tuple[Forms, Forms]:
    """Base and merged vocabulary, each for sentencepiece and for Hugging Face."""
    models = [read_model(workshop / name / "tokenizer.model") for name in ("base", "merged")]
    before, after = (Forms(encoder_of(model), to_hugging_face(model)) for model in models)
    return before, after


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OLD_TEXT = st.text(st.sampled_from(sorted(old_alphabet(sentences(ENGLISH)))))
BOTH_LANGUAGES = st.text(st.sampled_from(sorted(set("".join(sentences(JAPANESE + ENGLISH))))))


@settings(max_examples=300, deadline=None)
@given(text=OLD_TEXT)
def test_any_text_of_the_old_alphabet_keeps_its_ids(forms: tuple[Forms, Forms], text: str) -> None:
    before, after = forms
    assert after.encoder.encode([text]) == before.encoder.encode([text])


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT | BOTH_LANGUAGES)
def test_any_text_comes_back_as_the_base_gives_it_back(
    forms: tuple[Forms, Forms], text: str
) -> None:
    before, after = (one.encoder for one in forms)
    assert after.decode(after.encode([text])) == before.decode(before.encode([text]))


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT | BOTH_LANGUAGES)
def test_both_forms_cut_any_text_alike_that_they_cut_alike_before(
    forms: tuple[Forms, Forms], text: str
) -> None:
    before, after = forms
    assert disagreeing([text], after) == [] or disagreeing([text], before) == [text]


def test_the_new_language_gets_shorter(workshop: Path) -> None:
    lines = sentences(JAPANESE)
    assert fertility(workshop / "merged", lines) < 0.5 * fertility(workshop / "base", lines)


def test_every_new_piece_can_be_produced(workshop: Path) -> None:
    assert unreachable_pieces(read_model(workshop / "merged" / "tokenizer.model"), 400) == []


def test_the_sizes_agree_everywhere(workshop: Path) -> None:
    sizes = read_sizes(workshop / "merged")
    tokenizer = json.loads((workshop / "merged" / "tokenizer.json").read_text(encoding="utf-8"))
    assert sizes.base_size == 400
    assert sizes.base_size + sizes.new_pieces == sizes.size <= sizes.padded_size
    assert sizes.padded_size % 64 == 0
    assert load_encoder(workshop / "merged").size == sizes.padded_size
    assert len(tokenizer["model"]["vocab"]) == sizes.padded_size


def test_scores_of_new_pieces_fall_strictly_below_the_bases(workshop: Path) -> None:
    model = read_model(workshop / "merged" / "tokenizer.model")
    size = read_sizes(workshop / "merged").size
    scores = [entry.score for entry in model.pieces]
    assert scores[400:size] == sorted(set(scores[400:size]), reverse=True)
    assert max(scores[400:size]) < min(scores[:400])


def test_fillers_are_unused_and_never_appear_in_text(workshop: Path) -> None:
    sizes = read_sizes(workshop / "merged")
    model = read_model(workshop / "merged" / "tokenizer.model")
    assert [entry.type for entry in model.pieces[sizes.size :]] == [UNUSED] * (
        sizes.padded_size - sizes.size
    )
    ids = load_encoder(workshop / "merged").encode(["<filler_0> text <filler_1>"])[0]
    assert max(ids) < sizes.size


def test_the_same_inputs_make_the_same_files(workshop: Path, tmp_path: Path) -> None:
    again = write_vocabulary(tmp_path, workshop / "base", workshop / "new", workshop / "old")
    for path in sorted((workshop / "merged").glob("*.*")):
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_transformers_loads_it_and_cuts_alike(workshop: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    shutil.copytree(workshop / "merged", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama"}')
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    encoder = load_encoder(workshop / "merged")
    line = "東京では、 春になると 1923 👍 two  spaces"
    ids = tokenizer(line).input_ids
    assert ids == [encoder.bos, *encoder.encode([line])[0]]
    assert tokenizer.decode(ids, skip_special_tokens=True) == line
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 0)


def test_mode_none_keeps_the_base(workshop: Path, tmp_path: Path) -> None:
    merge(workshop, tmp_path / "out", mode="none")
    kept, given = (path / "tokenizer.model" for path in (tmp_path / "out", workshop / "base"))
    assert kept.read_bytes() == given.read_bytes()
    assert read_sizes(tmp_path / "out").padded_size == 400
    assert (tmp_path / "out" / "tokenizer.json").exists()


def test_mode_none_takes_a_byte_level_base(
    workshop: Path, shared_data: Path, tmp_path: Path
) -> None:
    base = tmp_path / "gpt"
    base.mkdir()
    shutil.copyfile(shared_data / "tokenizers/gpt2/gpt-neo-tokenizer.json", base / "tokenizer.json")
    metrics = merge(workshop, tmp_path / "out", base, mode="none")
    assert metrics["base_size"] == metrics["padded_size"] == load_encoder(base).size


def test_a_base_without_a_tokenizer_says_so(workshop: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    with pytest.raises(VocabularyError, match=r"neither tokenizer\.model nor tokenizer\.json"):
        merge(workshop, tmp_path / "out", base)
    assert not (tmp_path / "out").exists()


def test_a_unigram_base_says_what_is_supported(workshop: Path, tmp_path: Path) -> None:
    model = tmp_path / "base" / "tokenizer.model"
    train_sentencepiece(sentences(ENGLISH), model, size=70, kind="unigram")
    with pytest.raises(VocabularyError, match="Unigram"):
        merge(workshop, tmp_path / "out", tmp_path / "base")


def test_tokens_added_beside_the_model_keep_their_ids(workshop: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(workshop / "base", base)
    added = [{"id": 400, "content": "<|end|>", "special": True}]
    (base / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    merge(workshop, tmp_path / "out", base)
    assert read_model(tmp_path / "out" / "tokenizer.model").pieces[400].piece == "<|end|>"
    assert read_sizes(tmp_path / "out").base_size == 401


def test_a_base_with_spare_rows_is_never_shrunk(workshop: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(workshop / "base", base)
    (base / "config.json").write_text('{"vocab_size": 1000}')
    assert merge(workshop, tmp_path / "out", base)["padded_size"] == 1024


def test_the_classic_merge_equals_chinese_llamas_published_file(shared_data: Path) -> None:
    base = read_model(shared_data / "tokenizers/llama2/tokenizer.model")
    new = read_model(shared_data / "tokenizers/chinese_llama/chinese_sp.model")
    merged = merge_classic(base, new)
    assert len(merged.pieces) == 49_953
    assert hashlib.sha256(merged.SerializeToString()).hexdigest() == CHINESE_LLAMA
    append_piece(merged, "[PAD]", 0.0)
    assert hashlib.sha256(merged.SerializeToString()).hexdigest() == CHINESE_ALPACA


def test_the_classic_merge_has_345_pieces_that_never_appear(shared_data: Path) -> None:
    base = read_model(shared_data / "tokenizers/llama2/tokenizer.model")
    new = read_model(shared_data / "tokenizers/chinese_llama/chinese_sp.model")
    assert len(unreachable_pieces(merge_classic(base, new), 32_000)) == 345


def test_classic_mode_reports_what_rank_mode_forbids(workshop: Path, tmp_path: Path) -> None:
    metrics = merge(workshop, tmp_path / "out", mode="classic")
    assert {"old_lines_changed", "own_disagreements", "unreachable"} <= metrics.keys()


def test_a_merged_model_loads_beside_sentencepieces_own_module(workshop: Path) -> None:
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((workshop / "merged" / "tokenizer.model").read_bytes())
    assert encoder_of(model).size == read_sizes(workshop / "merged").padded_size


def test_typography_that_the_old_sample_lacks_keeps_its_ids_all_the_same(workshop: Path) -> None:
    base = read_model(workshop / "base" / "tokenizer.model")
    new = copy_model(read_model(workshop / "tokenizer" / "tokenizer.model"))
    append_piece(new, "——", -1_000.0)
    append_piece(new, "—", -1_001.0)
    merged = merge_by_rank(base, new, old_alphabet(["No dash."]), workshop).model
    assert {entry.piece for entry in merged.pieces}.isdisjoint({"—", "——"})
    lines = ["“It was—or so he thought——late.”", "naïve café, Ærø, 5 €…"]
    assert encoder_of(merged).encode(lines) == encoder_of(base).encode(lines)
