"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# before torch comes: on busy cores spinning threads take 30 s for 40 tiny steps, sleeping ones 4
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["tests.traveller"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests keep digests and downloads away from what people have in their home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATIVIZE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Third-party text beside the project; tests that need it skip where it is absent."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"third-party test data is not here ({path})")
    return path
