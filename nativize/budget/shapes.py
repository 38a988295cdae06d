"""A model's shapes, read from its config.json: every parameter counted without a weight in sight.

What is known: the decoders this project trains and exports (Llama, Mistral, Qwen2, Qwen3), with
grouped queries, tied heads, biases and norms of queries and keys.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nativize.errors import BudgetError

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Shapes:
    """A decoder's sizes.

    Attributes:
        vocabulary: rows of embedding and head, padding counted in.
        hidden: width of the residual stream.
        intermediate: width of the gated feed-forward.
        layers: transformer layers.
        heads: of queries.
        key_value_heads: of keys and values.
        head_size: numbers in one head.
        tied: the head is the embedding.
        biases: names of the projections that have one.
        query_key_norms: queries and keys are normalised per head (Qwen3).
        weight_bytes: of one number on disk.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    tied: bool = False
    biases: tuple[str, ...] = ()
    query_key_norms: bool = False
    weight_bytes: int = 2

    @property
    def queries(self) -> int:
        """Width of all queries together."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Width of all keys together; that of the values."""
        return self.key_value_heads * self.head_size

    @cached_property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of a layer's matrices."""
        return {
            "q_proj": (self.hidden, self.queries),
            "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys),
            "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def table(self) -> int:
        """Numbers of the embedding table."""
        return self.vocabulary * self.hidden

    @property
    def head(self) -> int:
        """Numbers that the head has of its own."""
        return 0 if self.tied else self.table

    @cached_property
    def layer_matrices(self) -> int:
        """Numbers that one layer multiplies with."""
        return sum(rows * columns for rows, columns in self.projections.values())

    @cached_property
    def layer_vectors(self) -> int:
        """Norms and biases of one layer."""
        biases = sum(self.projections[name][1] for name in self.biases)
        return 2 * self.hidden + 2 * self.head_size * self.query_key_norms + biases

    @property
    def layer(self) -> int:
        """All parameters of one layer."""
        return self.layer_matrices + self.layer_vectors

    @property
    def total(self) -> int:
        """All parameters; tied ones once."""
        return self.table + self.head + self.layers * self.layer + self.hidden

    def by_kind(self) -> dict[str, int]:
        """Parameters by what they are for; their sum is `total`."""
        sizes = {name: rows * columns for name, (rows, columns) in self.projections.items()}
        attention = sum(sizes[name] for name in ATTENTION)
        return {
            "embedding": self.table,
            "head": self.head,
            "attention": self.layers * attention,
            "mlp": self.layers * (self.layer_matrices - attention),
            "norms and biases": self.layers * self.layer_vectors + self.hidden,
        }


def read_shapes(model: Path) -> Shapes:
    """The shapes of a Hugging Face directory.

    Raises:
        BudgetError: no config.json, or not of a known decoder.
    """
    path = model / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BudgetError(f"{path}: cannot be read ({error}); give a model directory") from error
    return shapes_of(config, str(path))


def shapes_of(config: Mapping[str, Any], where: str) -> Shapes:
    """The shapes that a config.json says.

    Args:
        config: its content.
        where: names it in errors.
    Raises:
        BudgetError: an unknown model type, or a size is missing.
    """
    kind = config.get("model_type")
    if kind not in BIASES:
        raise BudgetError(
            f"{where}: model_type {kind!r} cannot be reckoned with; known: {', '.join(BIASES)}"
        )
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return Shapes(
            vocabulary=config["vocab_size"],
            hidden=hidden,
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            key_value_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or hidden // heads,
            tied=config.get("tie_word_embeddings", False),
            biases=BIASES[kind](config),
            query_key_norms=kind == "qwen3",
            weight_bytes=4 if _dtype(config) == "float32" else 2,
        )
    except KeyError as error:
        raise BudgetError(f"{where}: {error} is missing; give the model's whole config") from error


def _of_llama(config: Mapping[str, Any]) -> tuple[str, ...]:
    attention = ATTENTION if config.get("attention_bias") else ()
    return attention + (MLP if config.get("mlp_bias") else ())


BIASES: dict[str, Callable[[Mapping[str, Any]], tuple[str, ...]]] = {
    "llama": _of_llama,
    "mistral": lambda config: (),
    "qwen2": lambda config: ATTENTION[:3],
    "qwen3": lambda config: ATTENTION if config.get("attention_bias") else (),
}
"""Projections with a bias, by model type and config (transformers' modeling files)."""


def _dtype(config: Mapping[str, Any]) -> str:
    return str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
