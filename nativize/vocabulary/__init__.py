"""The vocabulary: the new language's pieces, how they join the base's, and what they buy.

`merged_vocabulary` is the only owner of the vocabulary size: models are grown to it, exports and
token shards are checked against it. Nothing here needs torch.
"""

from nativize.artifact import Stage
from nativize.vocabulary.corpus_text import read_texts, sample_texts
from nativize.vocabulary.encoder import Encoder, fertility, load_encoder
from nativize.vocabulary.merge import Sizes, merge_vocabulary, read_sizes
from nativize.vocabulary.train import train_base_tokenizer, train_sentencepiece, train_tokenizer

TRAIN_TOKENIZER = Stage(
    name="tokenizer",
    version=1,
    group="vocabulary",
    inputs=("deduplicated_corpus",),
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
    version=1,
    group="vocabulary",
    inputs=("base_model", "tokenizer", "deduplicated_corpus", "replay_corpus"),
    reads=("vocabulary.mode", "vocabulary.pad_to_multiple"),
    refit="vocabulary.refit",
    fitted_to=("deduplicated_corpus", "replay_corpus"),
)

__all__ = [
    "MERGE",
    "TRAIN_TOKENIZER",
    "Encoder",
    "Sizes",
    "fertility",
    "load_encoder",
    "merge_vocabulary",
    "read_sizes",
    "read_texts",
    "sample_texts",
    "train_base_tokenizer",
    "train_sentencepiece",
    "train_tokenizer",
]
