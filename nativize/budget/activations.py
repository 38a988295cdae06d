"""What a layer keeps of its forward pass for the backward one, in bytes a token.

Korthikanti et al. 2022 ("Reducing activation recomputation") counted GPT's layers; here are
Llama's, as transformers runs them: gated feed-forward, grouped queries, norms computed in float32,
attention that keeps no square of scores. Under autocast every matrix that learns keeps a cast copy
of its input of its own. Counted tensor by tensor on real models; the tests measure them again.
"""

from dataclasses import dataclass

from nativize.budget.shapes import MLP, Shapes
from nativize.budget.trained import ADAPTED, TRAINED, UNTOUCHED
from nativize.recipe import Lora

FLOAT = 4


@dataclass(frozen=True)
class Pass:
    """How one pass is computed.

    Attributes:
        number: bytes of a number in the arithmetic: 2, or 4 without autocast.
        stream: bytes of a number in the residual stream: 4 where a float32 embedding begins it.
        sequence_length: tokens in a sample.
        masks: documents are parted by a mask of tokens x tokens; flash attention needs none.
        liger: Liger's norms and feed-forward, which compute again what they can.
    """

    number: int
    stream: int
    sequence_length: int
    masks: bool
    liger: bool


def kept_by_layer(shapes: Shapes, kind: str, lora: Lora, how: Pass) -> float:
    """Bytes a token that one layer keeps, by what learns in it."""
    if kind == UNTOUCHED:
        return 0.0
    norms = _norms(shapes, kind, how)
    inputs = _inputs(shapes, kind, lora, how)
    gates = (2 if how.liger else 3) * how.number * shapes.intermediate
    return norms + inputs + _attention(shapes, how) + gates


def needed_within_layer(shapes: Shapes, kind: str, lora: Lora, how: Pass) -> float:
    """Bytes a token that the backward pass of a layer holds for a moment: the feed-forward's."""
    wide = shapes.intermediate
    adapts_down = kind == ADAPTED and "down_proj" in lora.targets
    if adapts_down and how.number < FLOAT:
        return 10.0 * wide  # gradients in bf16 by base and adapter, peft's float32 copy, a sum
    return float(how.number * wide * (2 if kind == TRAINED or adapts_down else 3))


def kept_by_last_norm(shapes: Shapes, *, norms_learn: bool, how: Pass) -> float:
    """Bytes a token of the norm before the head."""
    return _one_norm(shapes, norms_learn, how)


def _norms(shapes: Shapes, kind: str, how: Pass) -> float:
    heads = 0.0
    if shapes.query_key_norms:
        width = shapes.queries + shapes.keys
        heads = width * (FLOAT + how.number * (kind == TRAINED))
    return 2 * _one_norm(shapes, kind == TRAINED, how) + heads


def _one_norm(shapes: Shapes, learns: bool, how: Pass) -> float:
    if how.liger:
        return how.stream * shapes.hidden + FLOAT
    return (FLOAT + how.stream * learns) * shapes.hidden + FLOAT


def _inputs(shapes: Shapes, kind: str, lora: Lora, how: Pass) -> float:
    """Inputs of the matrices that learn; those of frozen ones are not needed again."""
    if kind == TRAINED:
        copies = 5 if how.number < FLOAT else 2  # to q, k, v, gate and up; o's is attention's own
        return how.number * (copies * shapes.hidden + shapes.intermediate)
    if kind != ADAPTED:
        return 0.0
    ranks = how.number * lora.rank * len(lora.targets)
    widths = {name: shapes.projections[name][0] for name in lora.targets}
    if how.number < FLOAT:
        return how.number * sum(widths.values()) + ranks
    once = bool({"q_proj", "k_proj", "v_proj"} & set(widths)) + bool(set(MLP[:2]) & set(widths))
    return how.number * (once * shapes.hidden + widths.get("down_proj", 0)) + ranks


def _attention(shapes: Shapes, how: Pass) -> float:
    keys = shapes.queries if how.masks else shapes.keys  # a mask needs keys of all heads
    mask = how.number * how.sequence_length if how.masks else 0
    return how.number * 2 * (shapes.queries + keys) + FLOAT * shapes.heads + mask
