"""What the graph imports at its start costs no torch."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "package",
    ["model", "train", "chat", "chat.instruction", "evaluate"],
)
def test_a_stage_is_declared_without_torch(package: str) -> None:
    code = (
        f"import sys, nativize.{package};"
        " sys.exit(bool({'torch', 'transformers', 'matplotlib'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
