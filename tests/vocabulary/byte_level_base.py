"""Small byte-level bases as GPT-2's, Llama 3's and Qwen's are, trained on composed English."""

import json
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from nativize.export.byte_level import LLAMA3, QWEN2
from tests.vocabulary.composed import ENGLISH, sentences

KINDS = ("gpt2", "llama3", "qwen2")
TEMPLATE = "{% for message in messages %}<|start|>{{ message.content }}{% endfor %}"


def write_byte_level_base(directory: Path, kind: str, *, rows: int | None = None) -> Path:
    """A base's tokenizer of 400 tokens and two added ones behind them, and a config with rows."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    tokenizer.pre_tokenizer = cutter(kind)
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences(ENGLISH), trainer)
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    tokenizer.add_tokens([AddedToken("<|start|>", normalized=False)])
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"eos_token": "<|end|>", "chat_template": TEMPLATE}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    (directory / "config.json").write_text(json.dumps({"vocab_size": rows or 402}))
    return directory


def cutter(kind: str) -> pre_tokenizers.PreTokenizer:
    """The pre-tokeniser of a kind of base."""
    if kind == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    regex = Regex(LLAMA3 if kind == "llama3" else QWEN2)
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(regex, "isolated"), last])


def tokenizer_json(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "tokenizer.json").read_text("utf-8"))
    return content
