"""Held-out text of both languages as ids, which a training measures itself on now and then."""

from pathlib import Path
from typing import Any

from nativize.errors import CorpusError
from nativize.evaluate.heldout import choose_heldout
from nativize.vocabulary import Encoder

HELDOUT = "heldout.json"
NEW_LANGUAGE, OLD_LANGUAGE = "new", "old"

MAXIMUM_TOKENS = 32_768
"""Of each language: a twentieth of a forward pass of the optimiser steps between two looks."""


def encode_heldout(encoder: Encoder, new: Path, old: Path) -> dict[str, Any]:
    """For each language the bytes of its text and the ids of its documents.

    A corpus that holds nothing out is left out.
    """
    found = {}
    for language, corpus in ((NEW_LANGUAGE, new), (OLD_LANGUAGE, old)):
        try:
            chosen = choose_heldout(corpus, encoder, MAXIMUM_TOKENS)
        except CorpusError:
            continue
        found[language] = {"bytes": chosen.bytes, "documents": encoder.encode(chosen.texts)}
    start = encoder.bos if encoder.bos is not None else encoder.eos
    return {"start": start or 0, "languages": found}
