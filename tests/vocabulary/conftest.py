"""Composed corpora and what is made of them, once a session."""

from pathlib import Path

import pytest

from tests.vocabulary.composed import (
    ENGLISH,
    JAPANESE,
    write_base,
    write_corpus,
    write_vocabulary,
)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with new, old, base, tokenizer and merged."""
    root = tmp_path_factory.mktemp("vocabulary")
    write_corpus(root / "new", JAPANESE)
    write_corpus(root / "old", ENGLISH)
    write_base(root / "base")
    write_vocabulary(root, root / "base", root / "new", root / "old")
    return root
