"""Whether a vocabulary that was fitted once suits the corpus still, and what refitting would buy.

Fertility alone cannot tell: newer text may just be harder. So where it rose, pieces are learned
anew from the newest text, as many as before, and compared with the old ones on the same lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nativize.recipe import Recipe
from nativize.vocabulary.corpus_text import sample_texts
from nativize.vocabulary.curve import HELDOUT_CHARACTERS, LEAST_SAVING, read_curve
from nativize.vocabulary.encoder import load_encoder, tokens_per_character
from nativize.vocabulary.piece_model import encoder_of
from nativize.vocabulary.pieces import CONTROL_PIECES, alphabet_of, learn_pieces, model_of

NOISE = 0.01
"""A smaller rise is the luck of which documents are held out."""
LEARNED_CHARACTERS = 10_000_000
"""The newest text that pieces are learned from anew, ten seconds of it. The old ones may have seen
more, so what is found is what fitting anew saves at least."""


@dataclass(frozen=True)
class Drift:
    """How a vocabulary does on the newest held-out text.

    Attributes:
        at_fitting: tokens per character of what was held out when it was fitted.
        now: the same of what is held out now.
        saving: share of tokens that pieces learned anew would save; 0 where nothing rose.
        pays_after: tokens to be trained or generated until the saving outweighs training all
            stages of the recipe once more; None where nothing is saved.
    """

    at_fitting: float
    now: float
    saving: float
    pays_after: int | None

    @property
    def rise(self) -> float:
        """By how much fertility rose, as a share."""
        return self.now / self.at_fitting - 1 if self.at_fitting else 0.0

    @property
    def pays(self) -> bool:
        """Whether fitting anew saves as much as a size must save by doubling."""
        return self.saving >= LEAST_SAVING

    def describe(self) -> str:
        """What a person should know or do."""
        if self.rise <= NOISE:
            return "the vocabulary suits the corpus as it did when it was fitted"
        if not self.pays:
            return (
                f"tokens per character rose by {self.rise:.1%}, but pieces learned anew would save"
                f" only {self.saving:.1%} of the tokens: the text is harder, the vocabulary fits"
            )
        return (
            f"tokens per character rose by {self.rise:.1%}; pieces learned anew would save"
            f" {self.saving:.1%} of the tokens. That outweighs training once more after"
            f' {self.pays_after:,} tokens: set vocabulary.refit = "always" for one walk'
        )


def measure_drift(
    vocabulary: Path, curve: Path, corpus: Path, recipe: Recipe, *, at_fitting: float, size: int
) -> Drift:
    """The drift of a merged vocabulary on a corpus.

    Args:
        vocabulary: the merged vocabulary.
        curve: the vocabulary curve that its pieces are from.
        corpus: the newest corpus.
        recipe: its stages say what training once more costs.
        at_fitting: tokens per character when it was fitted.
        size: pieces of the new language's own tokenizer.
    """
    heldout = sample_texts(corpus, "heldout", HELDOUT_CHARACTERS)
    if not heldout:
        return Drift(at_fitting, at_fitting, 0.0, None)
    now = tokens_per_character(load_encoder(vocabulary), heldout)
    drift = Drift(at_fitting, now, 0.0, None)
    if drift.rise <= NOISE or recipe.vocabulary.mode == "none":
        return drift
    saving = _saving(curve, corpus, heldout, recipe.vocabulary.character_coverage, size)
    once = sum(stage.steps * stage.batch_tokens for stage in recipe.stage)
    return Drift(at_fitting, now, saving, round(once / saving) if saving else None)


def _saving(curve: Path, corpus: Path, heldout: Sequence[str], coverage: float, size: int) -> float:
    """Share of tokens that as many pieces of the newest text save on held-out lines, at least 0."""
    fitted = read_curve(curve)
    alphabet = alphabet_of(sample_texts(corpus, "train", LEARNED_CHARACTERS), coverage)
    *_, learned = learn_pieces(alphabet, [size])
    tokens = []
    for characters, pieces in (
        (fitted.characters, fitted.pieces),
        (alphabet.characters, learned.pieces),
    ):
        most = len(CONTROL_PIECES) + len(characters) + len(pieces)
        least = most - len(pieces)
        model = model_of(characters, pieces, max(min(size, most), least), byte_fallback=True)
        tokens.append(tokens_per_character(encoder_of(model), heldout))
    old, new = tokens
    return max(1 - new / old, 0.0) if old else 0.0
