"""Floating-point operations of one token of training.

A matrix costs 2 per weight forward, 2 for the gradient of its input, 2 for its own gradient if it
learns (PaLM, appendix B: 6 N). Attention costs 12 L q s over a full square of s positions; a
causal one needs half of it, 6 L q s, and half is what is counted here, in the plan and in the
trainer's utilisation. Looking up an embedding costs nothing; what is computed a second time under
gradient checkpointing is not counted.
"""

from nativize.budget.shapes import Shapes
from nativize.budget.trained import UNTOUCHED, trained_by
from nativize.recipe import TrainStage


def flops_per_token(
    shapes: Shapes, stage: TrainStage, sequence_length: int, new_rows: int = 0
) -> float:
    """FLOPs that one token costs, forward and backward.

    Args:
        shapes: of the model with its grown vocabulary.
        stage: what is trained: frozen weights have no gradient of their own.
        sequence_length: tokens in a sample.
        new_rows: as in `trained_by`.
    """
    trained = trained_by(shapes, stage, new_rows)
    reached = sum(kind != UNTOUCHED for kind in trained.layers)
    adapters = 0 if trained.has_new_rows else trained.adapters
    forward = shapes.table + shapes.layers * shapes.layer_matrices + adapters
    of_inputs = shapes.table + reached * shapes.layer_matrices + adapters
    of_weights = trained.matrices + (shapes.table if trained.output else 0)
    attention = shapes.queries * sequence_length * (shapes.layers + 2 * reached)
    return 2.0 * (forward + of_inputs + of_weights + attention)
