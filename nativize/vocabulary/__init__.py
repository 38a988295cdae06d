"""The vocabulary: the new language's pieces, how they join the base's, and what they buy.

`merged_vocabulary` is the only owner of the vocabulary size: models are grown to it, exports and
token shards are checked against it. Nothing here needs torch.
"""

from nativize.artifact import Stage
from nativize.vocabulary.corpus_text import read_texts, sample_texts
from nativize.vocabulary.curve import measure_curve, read_curve
from nativize.vocabulary.drift import Drift, measure_drift
from nativize.vocabulary.encoder import Encoder, fertility, load_encoder
from nativize.vocabulary.merge import Sizes, merge_vocabulary, read_sizes
from nativize.vocabulary.report import report_vocabulary
from nativize.vocabulary.train import train_base_tokenizer, train_sentencepiece, train_tokenizer

CURVE = Stage(
    name="vocabulary_curve",
    version=1,
    group="vocabulary",
    inputs=("deduplicated_corpus",),
    reads=("vocabulary.character_coverage", "vocabulary.maximum_training_characters"),
    refit="vocabulary.refit",
)
TRAIN_TOKENIZER = Stage(
    name="tokenizer",
    version=2,
    group="vocabulary",
    inputs=("deduplicated_corpus", "vocabulary_curve"),
    reads=(
        "vocabulary.kind",
        "vocabulary.size",
        "vocabulary.character_coverage",
        "vocabulary.maximum_training_characters",
    ),
    refit="vocabulary.refit",
)
MERGE = Stage(
    name="merged_vocabulary",
    version=2,
    group="vocabulary",
    inputs=("base_model", "tokenizer", "deduplicated_corpus", "replay_corpus"),
    reads=(
        "vocabulary.mode",
        "vocabulary.pad_to_multiple",
        "vocabulary.maximum_training_characters",
    ),
    refit="vocabulary.refit",
    fitted_to=("deduplicated_corpus", "replay_corpus"),
)
VOCABULARY_REPORT = Stage(
    name="vocabulary_report",
    version=1,
    group="vocabulary",
    inputs=("base_model", "merged_vocabulary", "deduplicated_corpus", "replay_corpus"),
    reads=("language.code",),
)

__all__ = [
    "CURVE",
    "MERGE",
    "TRAIN_TOKENIZER",
    "VOCABULARY_REPORT",
    "Drift",
    "Encoder",
    "Sizes",
    "fertility",
    "load_encoder",
    "measure_curve",
    "measure_drift",
    "merge_vocabulary",
    "read_curve",
    "read_sizes",
    "read_texts",
    "report_vocabulary",
    "sample_texts",
    "train_base_tokenizer",
    "train_sentencepiece",
    "train_tokenizer",
]
