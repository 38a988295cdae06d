"""Pieces grafted onto byte-level bases: GPT-2's, Llama 3's and Qwen's kind."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from nativize.artifact import standalone
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary import fertility, load_encoder, merge_vocabulary, read_sizes
from nativize.vocabulary.byte_level import bytes_of, grow_byte_level, unreachable_byte_pieces
from nativize.vocabulary.encoder import HuggingFaceEncoder
from nativize.vocabulary.rank import old_alphabet
from tests.vocabulary.byte_level_base import KINDS, TEMPLATE, tokenizer_json, write_byte_level_base
from tests.vocabulary.composed import ENGLISH, JAPANESE, sentences


def merge(workshop: Path, base: Path, out: Path, **recipe: object) -> dict[str, Any]:
    vocabulary = Vocabulary.model_validate({"size": 160, **recipe})
    with standalone(out) as place:
        report = merge_vocabulary(
            base,
            workshop / "tokenizer",
            workshop / "new",
            workshop / "old",
            place,
            vocabulary=vocabulary,
        )
    return dict(report.metrics)


@pytest.fixture(scope="session")
def bases(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each kind a base and ``<kind>-merged``."""
    root = tmp_path_factory.mktemp("byte_level")
    for kind in KINDS:
        base = write_byte_level_base(root / kind, kind)
        merge(workshop, base, root / f"{kind}-merged")
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_the_old_language_keeps_every_id(bases: Path, kind: str) -> None:
    before, after = load_encoder(bases / kind), load_encoder(bases / f"{kind}-merged")
    lines = sentences(ENGLISH)
    assert before.encode(lines) == after.encode(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_the_new_language_gets_shorter(bases: Path, kind: str) -> None:
    lines = sentences(JAPANESE)
    assert fertility(bases / f"{kind}-merged", lines) < 0.3 * fertility(bases / kind, lines)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_base_moves(bases: Path, kind: str) -> None:
    before, after = tokenizer_json(bases / kind), tokenizer_json(bases / f"{kind}-merged")
    merges = before["model"]["merges"]
    assert after["model"]["merges"][: len(merges)] == merges
    assert before["model"]["vocab"].items() <= after["model"]["vocab"].items()
    assert after["added_tokens"] == before["added_tokens"]
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        assert after[part] == before[part]


@pytest.mark.parametrize("kind", KINDS)
def test_added_tokens_and_the_chat_template_stay(bases: Path, kind: str) -> None:
    tokenizer = Tokenizer.from_file(str(bases / f"{kind}-merged" / "tokenizer.json"))
    assert tokenizer.encode("<|start|>x<|end|>").ids[::2] == [401, 400]
    config = json.loads((bases / f"{kind}-merged" / "tokenizer_config.json").read_text())
    assert config["chat_template"] == TEMPLATE
    assert load_encoder(bases / f"{kind}-merged").eos == 400


@pytest.mark.parametrize("kind", KINDS)
def test_the_sizes_agree_everywhere(bases: Path, kind: str) -> None:
    sizes = read_sizes(bases / f"{kind}-merged")
    assert sizes.base_size == 402
    assert sizes.base_size + sizes.new_pieces == sizes.size <= sizes.padded_size
    assert sizes.padded_size % 64 == 0
    assert sizes.new_pieces > 100
    vocabulary = tokenizer_json(bases / f"{kind}-merged")["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(sizes.padded_size))


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_produces_a_filler(bases: Path, kind: str) -> None:
    sizes = read_sizes(bases / f"{kind}-merged")
    texts = ["<filler_0>", " <filler_0> text<filler_1>", "filler_0", "<filler_0>" * 3]
    ids = load_encoder(bases / f"{kind}-merged").encode(texts)
    assert max(max(one) for one in ids) < sizes.size


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_it_and_cuts_alike(bases: Path, kind: str) -> None:
    from transformers import PreTrainedTokenizerFast

    directory = bases / f"{kind}-merged"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    line = "東京では、 春になると 1923 👍 two  spaces"
    ids = tokenizer(line, add_special_tokens=False).input_ids
    assert ids == load_encoder(directory).encode([line])[0]
    assert tokenizer.decode(ids) == line


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_inputs_make_the_same_files(
    workshop: Path, bases: Path, tmp_path: Path, kind: str
) -> None:
    merge(workshop, bases / kind, tmp_path / "again")
    for path in sorted((bases / f"{kind}-merged").glob("*.*")):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_model_with_spare_rows_gives_them_to_the_new_ids(workshop: Path, tmp_path: Path) -> None:
    base = write_byte_level_base(tmp_path / "base", "qwen2", rows=1_000)
    metrics = merge(workshop, base, tmp_path / "out")
    assert metrics["base_size"] == 402
    assert metrics["size"] == 402 + metrics["new_pieces"] < 1_000
    assert metrics["padded_size"] == 1_024


@pytest.mark.parametrize("kind", KINDS)
def test_mode_none_keeps_the_base(workshop: Path, bases: Path, tmp_path: Path, kind: str) -> None:
    metrics = merge(workshop, bases / kind, tmp_path / "out", mode="none")
    kept, given_ = (path / "tokenizer.json" for path in (tmp_path / "out", bases / kind))
    assert kept.read_bytes() == given_.read_bytes()
    assert (metrics["new_pieces"], metrics["padded_size"]) == (0, 402)


def test_the_classic_merge_is_refused(workshop: Path, bases: Path, tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r'byte-level base.*mode = "rank"'):
        merge(workshop, bases / "gpt2", tmp_path / "out", mode="classic")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", [models.Unigram([("a", -1.0)]), models.WordPiece({"a": 0})])
def test_other_kinds_say_what_is_supported(workshop: Path, tmp_path: Path, model: Any) -> None:
    base = tmp_path / "base"
    base.mkdir()
    Tokenizer(model).save(str(base / "tokenizer.json"))
    kind = type(model).__name__
    with pytest.raises(VocabularyError, match=rf'kind {kind}.*mode = "none"'):
        merge(workshop, base, tmp_path / "out")


def test_a_base_of_characters_says_what_is_supported(workshop: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    tokenizer = Tokenizer(models.BPE({"a": 0}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(base / "tokenizer.json"))
    with pytest.raises(VocabularyError, match="BPE that is not byte-level"):
        merge(workshop, base, tmp_path / "out")


def test_a_base_that_writes_all_of_it_is_told_so(bases: Path) -> None:
    texts = sentences(ENGLISH)
    with pytest.raises(VocabularyError, match="hold no piece that the base lacks"):
        grow_byte_level(bases / "gpt2", texts, 50, old_alphabet(texts))


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_holds_what_old_text_does_not(bases: Path, kind: str) -> None:
    alphabet = old_alphabet(sentences(ENGLISH))
    grown = grow_byte_level(bases / kind, sentences(JAPANESE), 100, alphabet)
    old = "".join(sorted(alphabet)).encode()
    assert all(bytes_of(piece) not in old for piece in grown.pieces)
    assert unreachable_byte_pieces(grown.content, grown.base_size, grown.pieces) == []


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_the_base_gives_it_back(bases: Path, kind: str, text: str) -> None:
    before, after = load_encoder(bases / kind), load_encoder(bases / f"{kind}-merged")
    assert after.decode(after.encode([text])) == before.decode(before.encode([text]))


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.sampled_from("".join(sorted(old_alphabet(sentences(ENGLISH)) - {"▁"})))))
def test_any_text_of_the_old_alphabet_keeps_its_ids(bases: Path, kind: str, text: str) -> None:
    before, after = load_encoder(bases / kind), load_encoder(bases / f"{kind}-merged")
    assert after.encode([text]) == before.encode([text])


def test_gpt_neos_real_tokenizer_is_grown(
    workshop: Path, shared_data: Path, tmp_path: Path
) -> None:
    base = tmp_path / "gpt"
    base.mkdir()
    real = shared_data / "tokenizers/gpt2/gpt-neo-tokenizer.json"
    shutil.copyfile(real, base / "tokenizer.json")
    metrics = merge(workshop, base, tmp_path / "out")
    assert metrics["base_size"] == HuggingFaceEncoder(base).size == 50_280
    assert metrics["old_lines_changed"] == metrics["round_trip_failures"] == 0
    assert metrics["new_tokens_per_character_after"] < 0.5
    lines = sentences(ENGLISH)
    assert load_encoder(tmp_path / "out").encode(lines) == load_encoder(base).encode(lines)
