"""Fixtures that every test may use."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.traveller"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Third-party text beside the project; tests that need it skip where it is absent."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"third-party test data is not here ({path})")
    return path
