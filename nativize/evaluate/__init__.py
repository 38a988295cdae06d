"""Evaluation: what became better, and what was forgotten.

Bits per byte on held-out text compares models of different vocabularies; perplexity per token or
per word does not. Importing this package needs no torch.
"""

from collections.abc import Sequence

from nativize.artifact import Stage
from nativize.evaluate.stage import evaluate_models


def evaluation_stage(models: Sequence[str]) -> Stage:
    """The stage that measures the models of these assets on both corpora."""
    return Stage(
        name="evaluation_report",
        version=1,
        group="evaluation",
        inputs=(*models, "deduplicated_corpus", "replay_corpus"),
        reads=("evaluation",),
    )


__all__ = ["evaluate_models", "evaluation_stage"]
