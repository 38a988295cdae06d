"""Filtered shards, and a model fitted to them, once a session."""

from pathlib import Path

import pytest

from tests.quality.composed import article, fit, shuffled, write_shard


@pytest.fixture(scope="session")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of 40 documents: two sources of articles, every fifth document is noise."""
    directory = tmp_path_factory.mktemp("quality") / "filtered"
    for shard in range(3):
        documents = []
        for number in range(40):
            noise = number % 5 == 4
            text = article(1_000 * shard + number)
            identifier = f"{shard}-{number:02d}"
            source = "web" if noise or number % 2 else "encyclopedia"
            documents.append((identifier, source, shuffled(text, number) if noise else text))
        write_shard(directory / f"web-{shard:05d}.parquet", documents)
    return directory


@pytest.fixture(scope="session")
def model(filtered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quality model fitted to the encyclopedia."""
    out = tmp_path_factory.mktemp("quality_model") / "model"
    fit(filtered, out)
    return out
