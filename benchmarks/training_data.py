"""What the training benchmark trains: token shards of real text, and a model of random weights.

The vocabulary is LLaMA's with Japanese pieces where text lies beside the project, and a small
composed one elsewhere; the model has as many rows either way, for they are what costs.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import real_text
from benchmarks.initialisers import HELDOUT_EVERY, write_corpus
from nativize.artifact import standalone
from nativize.budget import Shapes
from nativize.engine import LocalEngine
from nativize.model.directory import copy_tokenizer, save_model
from nativize.recipe import Mixture, Vocabulary
from nativize.tokens import TokenShards, tokenise
from nativize.tokens.id_file import file_bytes
from nativize.tokens.sources import NEW
from nativize.vocabulary import merge_vocabulary, train_base_tokenizer, train_tokenizer
from nativize.vocabulary.hugging_face import save_hugging_face
from nativize.vocabulary.piece_model import read_model

LLAMA = real_text.DATA / "tokenizers" / "llama2" / "tokenizer.model"
PIECES, COMPOSED_PIECES = 19_000, 2_000
"""Japanese ones; with LLaMA's 32,000 they stay below the 51,520 rows of the models."""
COMPOSED_BASE = 1_000
COVERAGE = 0.999


@dataclass(frozen=True)
class Data:
    """Shards to train on.

    Attributes:
        tokens: a value of ``token_shards``, documents concatenated.
        vocabulary: the merged one.
        source: where the text comes from.
        text_bytes: UTF-8 of the new language's training documents.
        shard_bytes: of its ids on disk.
    """

    tokens: Path
    vocabulary: Path
    source: str
    text_bytes: int
    shard_bytes: int

    @property
    def disk_ratio(self) -> float:
        return self.shard_bytes / self.text_bytes


def write_data(root: Path, sequence_length: int, text_bytes: int) -> Data:
    """Token shards of about so many bytes of Japanese, and a tenth of English, under ``root``."""
    texts = real_text.documents("ja", text_bytes)
    new = write_corpus(root / "new", texts)
    english = real_text.documents("en", text_bytes // 4)
    old = write_corpus(root / "old", english)
    base, pieces = _base(root / "base", english)
    _merge(root, base, new, old, Vocabulary(size=pieces, character_coverage=COVERAGE))
    with standalone(root / "tokens") as place:
        tokenise(
            root / "vocabulary",
            new,
            old,
            place,
            # concatenated: the one thing that all contenders can do
            mixture=Mixture(sequence_length=sequence_length, packing="concatenated"),
            engine=LocalEngine(1),
        )
    return Data(
        root / "tokens",
        root / "vocabulary",
        real_text.source("ja"),
        sum(len(text.encode()) for place, text in enumerate(texts) if place % HELDOUT_EVERY),
        _stream_bytes(root / "tokens", NEW),
    )


def write_random_model(
    directory: Path, shapes: Shapes, vocabulary: Path, sequence_length: int
) -> Path:
    """A Llama of random float32 weights with a tokenizer.

    A padding token is named, which no text holds: LLaMA-Factory would take EOS for it, and leave
    EOS out of the loss.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shapes.vocabulary,
        hidden_size=shapes.hidden,
        intermediate_size=shapes.intermediate,
        num_hidden_layers=shapes.layers,
        num_attention_heads=shapes.heads,
        num_key_value_heads=shapes.key_value_heads,
        head_dim=shapes.head_size,
        max_position_embeddings=sequence_length,
        tie_word_embeddings=shapes.tied,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(1)
    save_model(LlamaForCausalLM(config), directory)
    copy_tokenizer(vocabulary, directory)
    settings = directory / "tokenizer_config.json"
    content = json.loads(settings.read_text("utf-8"))
    settings.write_text(json.dumps({**content, "pad_token": "<unk>"}), encoding="utf-8")
    return directory


def _base(directory: Path, english: Sequence[str]) -> tuple[Path, int]:
    """A base's tokenizer, and how many pieces are to be learned for it."""
    directory.mkdir()
    path = directory / "tokenizer.model"
    if LLAMA.exists():
        path.write_bytes(LLAMA.read_bytes())
    else:
        train_base_tokenizer(english, path, size=COMPOSED_BASE)
    save_hugging_face(read_model(path), directory, directory)
    rows = len(read_model(path).pieces)
    config = {"model_type": "llama", "vocab_size": rows}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory, PIECES if LLAMA.exists() else COMPOSED_PIECES


def _merge(root: Path, base: Path, new: Path, old: Path, vocabulary: Vocabulary) -> None:
    with standalone(root / "pieces") as place:
        train_tokenizer(new, place, vocabulary=vocabulary)
    with standalone(root / "vocabulary") as place:
        merge_vocabulary(base, root / "pieces", new, old, place, vocabulary=vocabulary)


def _stream_bytes(tokens: Path, stream: str) -> int:
    index = TokenShards(tokens).index
    shards = next(one["shards"] for one in index["streams"] if one["name"] == stream)
    return sum(file_bytes(shard["tokens"], index["bits"]) for shard in shards)
