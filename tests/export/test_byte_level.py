import json
from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import Tokenizer

from nativize.errors import ExportError
from nativize.export import LlamaServer
from nativize.export.architecture import rope_factors
from nativize.export.byte_level import read_byte_level
from nativize.export.gguf_file import write_gguf
from nativize.export.parity import Reference, compare
from nativize.export.probes import probes
from nativize.vocabulary import load_encoder
from tests.export.byte_level import (
    DEFINED,
    SPECIAL,
    TEMPLATE,
    append_piece,
    bytes_as_letters,
    rows_of,
    write_json,
    write_model,
    write_tokenizer,
)
from tests.vocabulary.composed import ENGLISH, sentences

KINDS = {"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen2": "qwen2"}
TEXTS = [
    "東京では、春になると桜が咲きます。",
    "The old library near the river opens",
    "It's 1923, DON'T we'll\n\n  two  spaces\r\n\tand tabs ",
    "👍🏽 👩‍👩‍👧‍👦 🇯🇵 ١٢٣ １２３ ﷺ \u200b\u00a0\u3000",
    "\x00\x01\x1b\x7f\x85 control \ufffe \U0010ffff \U000e0100",
]
ARCHITECTURES = [
    ("llama", "llama3", {}),
    ("llama", "gpt2", {"tie_word_embeddings": True, "attention_bias": True}),
    ("qwen2", "qwen2", {"tie_word_embeddings": True}),
    ("qwen3", "qwen2", {"head_dim": 32}),
]


@pytest.fixture(scope="session", params=list(KINDS))
def byte_level(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama model with a byte-level tokenizer of each kind, in a directory of its name."""
    directory = tmp_path_factory.mktemp("byte_level") / request.param
    write_model(write_tokenizer(directory, request.param))
    write_gguf(directory, directory / "m.gguf", name="tiny", quantisation="f32")
    return directory


def said_in(file: Path) -> dict[str, Any]:
    fields = gguf.GGUFReader(file).fields
    return {name.removeprefix("tokenizer."): field.contents() for name, field in fields.items()}


def changed(directory: Path, **change: object) -> Path:
    """The directory with other values in its tokenizer.json."""
    path = directory / "tokenizer.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **change})
    return directory


def test_llama_cpp_cuts_text_as_the_tokenizer_does(byte_level: Path) -> None:
    encoder = load_encoder(byte_level)
    with LlamaServer(byte_level / "m.gguf") as server:
        assert [server.tokenise(text) for text in TEXTS] == encoder.encode(TEXTS)


def test_the_file_names_the_pre_tokeniser_of_its_regex(byte_level: Path) -> None:
    said = said_in(byte_level / "m.gguf")
    assert said["ggml.model"] == "gpt2"
    assert said["ggml.pre"] == KINDS[byte_level.name]


def test_tokens_stand_at_their_ids_with_their_types(byte_level: Path) -> None:
    said = said_in(byte_level / "m.gguf")
    ids = Tokenizer.from_file(str(byte_level / "tokenizer.json")).get_vocab()
    assert said["ggml.tokens"] == sorted(ids, key=ids.__getitem__)
    kinds = [gguf.TokenType(kind) for kind in said["ggml.token_type"]]
    assert kinds[ids[DEFINED]] == gguf.TokenType.USER_DEFINED
    assert kinds[ids["<filler_2>"]] == gguf.TokenType.UNUSED
    control = [token for token in ids if kinds[ids[token]] == gguf.TokenType.CONTROL]
    assert sorted(control) == sorted(SPECIAL[byte_level.name])
    assert kinds.count(gguf.TokenType.NORMAL) == min(ids[token] for token in control)


def test_named_tokens_and_the_chat_template_are_carried(byte_level: Path) -> None:
    said = said_in(byte_level / "m.gguf")
    config = json.loads((byte_level / "tokenizer_config.json").read_text(encoding="utf-8"))
    for name in ("bos", "eos", "pad"):
        number = said.get({"pad": "ggml.padding_token_id"}.get(name, f"ggml.{name}_token_id"))
        token = None if number is None else said["ggml.tokens"][number]
        assert token == config.get(f"{name}_token")
    assert said["ggml.add_bos_token"] is (byte_level.name == "llama3")
    assert said["ggml.add_eos_token"] is False
    assert said["chat_template"] == TEMPLATE


def test_control_tokens_and_fillers_in_text_stay_text_and_defined_ones_do_not(
    byte_level: Path,
) -> None:
    encoder = load_encoder(byte_level)
    text = f"<filler_0> {DEFINED} <|endoftext|><|im_end|><|begin_of_text|>"
    with LlamaServer(byte_level / "m.gguf") as server:
        ids = server.tokenise(text)
    assert ids == encoder.encode([text])[0]
    tokens = [said_in(byte_level / "m.gguf")["ggml.tokens"][number] for number in ids]
    assert DEFINED in tokens
    assert not any(token.startswith(("<filler", "<|")) for token in tokens)


@pytest.mark.parametrize(("architecture", "kind", "settings"), ARCHITECTURES)
@pytest.mark.parametrize("quantisation", ["f32", "f16"])
def test_each_architecture_continues_as_the_model_does(
    tmp_path: Path, architecture: str, kind: str, settings: dict[str, object], quantisation: Any
) -> None:
    model = write_model(write_tokenizer(tmp_path / "model", kind), architecture, **settings)
    write_gguf(model, tmp_path / "m.gguf", name="tiny", quantisation=quantisation)
    parity = compare(tmp_path / "m.gguf", Reference(model), TEXTS, prompts=4)
    print(parity)
    parity.require(tmp_path / "m.gguf", quantisation)
    assert parity.tokens_greedy == parity.tokens > 20


def test_all_planes_are_cut_as_the_tokenizer_does(byte_level: Path) -> None:
    parity = compare(byte_level / "m.gguf", Reference(byte_level), [*TEXTS, *probes()], prompts=1)
    print(parity)
    assert parity.texts > 390
    assert (parity.texts_cut_differently, parity.texts_base_cuts_differently) == (0, 0)
    assert (parity.texts_not_normalised > 0) is (byte_level.name == "qwen2")


NEWER = "\u1c89"
"""A letter of Unicode 16: to Hugging Face; not yet to llama.cpp, which parts it from others."""
NEWER_WORD = f"a{NEWER}a{NEWER}a{NEWER}a"


def written_with_newer_letter(model: Path) -> Path:
    """The model's file, where llama.cpp itself is seen to cut the newer letter otherwise."""
    write_gguf(model, model / "m.gguf", name="tiny", quantisation="f32")
    with LlamaServer(model / "m.gguf") as server:
        if server.tokenise(NEWER_WORD) == load_encoder(model).encode([NEWER_WORD])[0]:
            pytest.skip("this llama.cpp knows the letters of Unicode 16")
    return model / "m.gguf"


def test_what_the_base_was_cut_differently_is_counted_and_allowed(tmp_path: Path) -> None:
    model = write_model(write_tokenizer(tmp_path / "model", "llama3", [NEWER_WORD] * 9))
    file = written_with_newer_letter(model)
    parity = compare(file, Reference(model), [TEXTS[1], NEWER_WORD], prompts=1)
    parity.require(file, "f32")
    assert parity.texts_base_cuts_differently == 1


def test_what_only_new_pieces_cut_differently_is_refused(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path / "base", "llama3")
    append_piece(directory, ("a", bytes_as_letters(NEWER)[0]))
    model = write_model(directory)
    file = written_with_newer_letter(model)
    parity = compare(file, Reference(model), [TEXTS[1], NEWER_WORD], prompts=1)
    assert parity.texts_cut_differently == 1
    with pytest.raises(ExportError, match="not with the base's tokenizer"):
        parity.require(file, "f32")


def test_pieces_behind_the_base_are_exported_too(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path / "model", "llama3", sentences(ENGLISH), fillers=0)
    letters = bytes_as_letters("東")
    append_piece(directory, (letters[0], letters[1]))
    append_piece(directory, (letters[:2], letters[2]))
    model = write_model(directory)
    write_gguf(model, model / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(model / "m.gguf", Reference(model), [*TEXTS, *probes()], prompts=1)
    parity.require(model / "m.gguf", "f32")
    with LlamaServer(model / "m.gguf") as server:
        assert server.tokenise("東") == [rows_of(directory) - 1]


def test_a_merge_that_is_missing_in_the_file_is_found(tmp_path: Path) -> None:
    model = write_model(write_tokenizer(tmp_path / "model", "gpt2"))
    reference = Reference(model)
    described = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    merges = described["model"]["merges"][:-40]
    changed(model, model={**described["model"], "merges": merges})
    write_gguf(model, tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", reference, TEXTS, prompts=1)
    write_json(model / "tokenizer.json", described)
    assert parity.texts_cut_differently > 0


def test_another_end_than_eos_is_judged_as_it_is(tmp_path: Path) -> None:
    import torch
    from safetensors.numpy import load_file, save_file
    from transformers import AutoModelForCausalLM

    model = write_model(write_tokenizer(tmp_path / "model", "llama3"))
    encoder = load_encoder(model)
    ids = Reference(model).prompts([TEXTS[1]])[0]
    with torch.no_grad():
        base = AutoModelForCausalLM.from_pretrained(model).model
        state = base(torch.tensor([ids])).last_hidden_state[0, -1]
    tensors = load_file(model / "model.safetensors")
    end = Tokenizer.from_file(str(model / "tokenizer.json")).token_to_id("<|eot_id|>")
    tensors["lm_head.weight"][end] = 3 * state.numpy()
    save_file(tensors, model / "model.safetensors")
    write_gguf(model, tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", Reference(model), [TEXTS[1]], prompts=1)
    parity.require(tmp_path / "m.gguf", "f32")
    assert (parity.tokens, parity.tokens_greedy) == (1, 1)
    assert encoder.eos != end


@pytest.mark.parametrize("name", ["q_norm", "k_proj.bias", "q_proj.weight"])
def test_one_wrong_tensor_of_qwen_is_found(tmp_path: Path, name: str) -> None:
    from safetensors.numpy import load_file, save_file

    architecture = "qwen3" if "norm" in name else "qwen2"
    model = write_model(write_tokenizer(tmp_path / "model", "qwen2"), architecture)
    reference = Reference(model)
    tensors = load_file(model / "model.safetensors")
    for found in [key for key in tensors if name in key]:
        tensors[found] = tensors[found][::-1].copy()
    save_file(tensors, model / "model.safetensors")
    write_gguf(model, tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", reference, TEXTS, prompts=4)
    with pytest.raises(ExportError, match="continues otherwise than the model"):
        parity.require(tmp_path / "m.gguf", "f32")


LLAMA31 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def test_the_scaled_rotation_of_llama_3_1_is_carried(tmp_path: Path) -> None:
    model = write_tokenizer(tmp_path / "model", "llama3")
    write_model(model, rope_parameters=LLAMA31)
    write_gguf(model, tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", Reference(model), TEXTS, prompts=4)
    parity.require(tmp_path / "m.gguf", "f32")
    plain = write_model(write_tokenizer(tmp_path / "plain", "llama3"))
    other = compare(tmp_path / "m.gguf", Reference(plain), TEXTS, prompts=4)
    with pytest.raises(ExportError, match="continues otherwise"):
        other.require(tmp_path / "m.gguf", "f32")


def test_rotary_factors_are_those_of_transformers() -> None:
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaling = {**LLAMA31, "rope_theta": 500_000.0, "original_max_position_embeddings": 8_192}
    config = LlamaConfig(
        hidden_size=2_048,
        num_attention_heads=16,
        max_position_embeddings=131_072,
        rope_parameters=scaling,
    )
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    factors = rope_factors(config.to_dict())
    assert factors is not None and set(factors[:8]) == {1.0} and factors[-1] == 8.0
    plain = [500_000.0 ** -(number / 64) for number in range(64)]
    ours = [one / float(factor) for one, factor in zip(plain, factors, strict=True)]
    assert ours == pytest.approx(scaled.tolist(), rel=1e-5)


def test_rows_without_a_token_are_named_and_never_used(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path / "model", "qwen2", fillers=0)
    rows = rows_of(directory) + 40
    write_model(directory, "qwen2", vocab_size=rows)
    write_gguf(directory, tmp_path / "m.gguf", name="tiny", quantisation="f16")
    said = said_in(tmp_path / "m.gguf")
    assert len(said["ggml.tokens"]) == len(set(said["ggml.tokens"])) == rows
    assert said["ggml.token_type"][-40:] == [int(gguf.TokenType.UNUSED)] * 40


def test_merging_is_named_by_whether_whole_words_are_looked_up(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path, "llama3")
    described = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    changed(directory, model={**described["model"], "ignore_merges": False})
    assert read_byte_level(directory, rows_of(directory)).pre == "smaug-bpe"


OTHER_REGEX = {
    "type": "Sequence",
    "pretokenizers": [
        {
            "type": "Split",
            "pattern": {"Regex": r"\w+|\W+"},
            "behavior": "Isolated",
            "invert": False,
        },
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ],
}
PREFIXED = {
    "type": "ByteLevel",
    "add_prefix_space": True,
    "trim_offsets": True,
    "use_regex": True,
}
STRIPPED = {
    "id": 420,
    "content": "<|endoftext|>",
    "single_word": False,
    "lstrip": True,
    "rstrip": False,
    "normalized": False,
    "special": False,
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pre_tokenizer": OTHER_REGEX}, r"regex '\\\\w\+.*qwen2.*convert_hf_to_gguf"),
        ({"pre_tokenizer": PREFIXED}, "add_prefix_space"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "Metaspace"),
        ({"pre_tokenizer": None}, "None is not one that llama.cpp knows"),
        ({"normalizer": {"type": "NFKC"}}, "normalizer.*NFKC.*Choose"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}},
            "Lowercase",
        ),
        ({"model": {"type": "Unigram"}}, "Unigram"),
        ({"added_tokens": [STRIPPED]}, "lstrip"),
        (
            {"post_processor": {"type": "BertProcessing", "sep": ["b", 1], "cls": ["c", 2]}},
            "post-processor",
        ),
    ],
)
def test_a_tokenizer_that_llama_cpp_has_not_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    directory = changed(write_tokenizer(tmp_path, "gpt2"), **change)
    with pytest.raises(ExportError, match=f"(?s){complaint}"):
        read_byte_level(directory, 1_000)


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path, "gpt2")
    write_json(directory / "tokenizer_config.json", {"bos_token": "<|endoftext|>"})
    with pytest.raises(ExportError, match="no eos_token"):
        read_byte_level(directory, 1_000)


def test_a_model_with_fewer_rows_than_ids_is_refused(tmp_path: Path) -> None:
    directory = write_tokenizer(tmp_path, "gpt2")
    with pytest.raises(ExportError, match="extend the model"):
        read_byte_level(directory, rows_of(directory) - 1)


def test_embeddings_of_another_size_than_config_json_says_are_refused(tmp_path: Path) -> None:
    directory = write_model(write_tokenizer(tmp_path, "gpt2"))
    path = directory / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**config, "vocab_size": config["vocab_size"] + 1})
    with pytest.raises(ExportError, match=r"embed_tokens\.weight has"):
        write_gguf(directory, tmp_path / "m.gguf", name="tiny", quantisation="f16")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "mistral"}, "llama, qwen2, qwen3"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"rope_parameters": LLAMA31}, "llama3' of qwen2"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    directory = write_model(write_tokenizer(tmp_path, "qwen2"), "qwen2")
    path = directory / "config.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **change})
    with pytest.raises(ExportError, match=complaint):
        write_gguf(directory, tmp_path / "m.gguf", name="tiny", quantisation="f16")
