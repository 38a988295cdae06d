"""Composed corpora, their vocabulary and token shards, once a session."""

from pathlib import Path

import pytest

from nativize.artifact import standalone
from nativize.engine import LocalEngine
from nativize.recipe import Mixture
from nativize.tokens import TokenShards, tokenise
from tests.vocabulary.composed import write_workshop


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with new, old, base, tokenizer, merged and tokens."""
    root = tmp_path_factory.mktemp("tokens")
    write_workshop(root)
    make_tokens(root, root / "tokens")
    return root


def make_tokens(
    root: Path, out: Path, workers: int = 1, instruction: Path | None = None, **mixture: object
) -> TokenShards:
    """Token shards of the corpora ``new`` and ``old`` below ``root``, opened."""
    settings = {"sequence_length": 64, "replay_share": 0.25, **mixture}
    with standalone(out) as place:
        tokenise(
            root / "merged",
            root / "new",
            root / "old",
            place,
            mixture=Mixture.model_validate(settings),
            engine=LocalEngine(workers),
            instruction=instruction,
        )
    return TokenShards(out)
