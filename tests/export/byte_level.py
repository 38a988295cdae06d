"""Small byte-level tokenizers of three kinds, and models of each architecture that read them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from tokenizers import pre_tokenizers as cutters
from tokenizers.trainers import BpeTrainer

from tests.vocabulary.byte_level_base import cutter
from tests.vocabulary.composed import ENGLISH, JAPANESE, sentences

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
SPECIAL = {
    "gpt2": ("<|endoftext|>",),
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"),
    "qwen2": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
}
NAMES = {
    "gpt2": {"bos": "<|endoftext|>", "eos": "<|endoftext|>"},
    "llama3": {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>"},
    "qwen2": {"eos": "<|im_end|>", "pad": "<|endoftext|>"},
}
DEFINED = "<tool_call>"
"""A token that is added without being special."""


def write_tokenizer(out: Path, kind: str, texts: Sequence[str] = (), fillers: int = 3) -> Path:
    """A tokenizer as a base of that kind has it, padded by fillers."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC() if kind == "qwen2" else None
    tokenizer.pre_tokenizer = cutter(kind)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = cutters.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    learnt = texts or [*sentences(ENGLISH), *sentences(JAPANESE), "a  b    c\n\n"]
    tokenizer.train_from_iterator(learnt, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL[kind]])
    tokenizer.add_tokens([AddedToken(DEFINED, normalized=False)])
    names = [f"<filler_{number}>" for number in range(fillers)]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    if kind == "llama3":
        bos = NAMES[kind]["bos"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    out.mkdir(parents=True, exist_ok=True)
    described = json.loads(tokenizer.to_str())
    described["model"]["ignore_merges"] = kind == "llama3"
    write_json(out / "tokenizer.json", described)
    settings: dict[str, Any] = {f"{name}_token": token for name, token in NAMES[kind].items()}
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_json(out / "tokenizer_config.json", settings)
    (out / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return out


def write_model(directory: Path, architecture: str = "llama", **settings: object) -> Path:
    """A random model beside its tokenizer, with a row for each id."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        architecture,
        **{
            "vocab_size": rows_of(directory),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
            "tie_word_embeddings": False,
            **settings,
        },
    )
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # biases are made 0 and norms 1, where none would be missed
                parameter.add_(torch.randn_like(parameter) * 0.2 * (1 + ("bias" in name)))
    model.save_pretrained(directory)
    return directory


def append_piece(directory: Path, parts: tuple[str, str]) -> None:
    """One more piece behind all ids, as a merge appends them; the parts may be new themselves."""
    path = directory / "tokenizer.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    model = described["model"]
    added = {token["content"]: token["id"] for token in described["added_tokens"]}
    model["vocab"] |= {**added, "".join(parts): rows_of(directory)}
    model["merges"].append(list(parts))
    write_json(path, described)


def bytes_as_letters(text: str) -> str:
    """The letters that byte-level BPE writes for the bytes of a text."""
    return "".join(
        token for token, _ in cutters.ByteLevel(False, use_regex=False).pre_tokenize_str(text)
    )


def rows_of(directory: Path) -> int:
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
