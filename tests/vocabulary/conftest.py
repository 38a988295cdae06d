"""Composed corpora and what is made of them, once a session."""

from pathlib import Path

import pytest

from tests.vocabulary.composed import (
    write_workshop,
)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with new, old, base, tokenizer and merged."""
    root = tmp_path_factory.mktemp("vocabulary")
    write_workshop(root)
    return root
