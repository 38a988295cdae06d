"""The peers' own Python: made once under NATIVIZE_HOME, never mixed with the project's.

The pinned packages of requirements.txt carry all that the measured filters need. Not to be had
from a package index, hence not measured: datatrove's language filter (it downloads lid.176.bin or
GlotLID), its Tibetan words (botok downloads a dictionary), HojiChar's fastText filter.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nativize.errors import NativizeError
from nativize.home import nativize_home

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
ALONE = HERE / "requirements-alone.txt"
"""Packages whose other needs are left out, for nothing measured uses them (Spark, ONNX)."""
DEFAULT_HOME = HERE.parents[1] / ".nativize"
INSTALLED = "installed.sha256"


class PeersError(NativizeError):
    """The peers cannot be installed or did not run."""


def directory() -> Path:
    return nativize_home(DEFAULT_HOME) / "peers"


def is_installed() -> bool:
    """Whether the environment holds what requirements.txt names now."""
    mark = directory() / INSTALLED
    return mark.exists() and mark.read_text("utf-8") == _wanted()


def install() -> Path:
    """The interpreter of the peers' environment, which is made where it is not there.

    Raises:
        PeersError: pip could not install the peers; tells its last lines.
    """
    if not is_installed():
        print(f"installing the peers into {directory()}, once (about a minute, 0.9 GB)")
        (directory() / INSTALLED).unlink(missing_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(directory())])
        pip = [str(_python()), "-m", "pip", "install", "-q"]
        _run([*pip, "-r", str(REQUIREMENTS)])
        _run([*pip, "--no-deps", "-r", str(ALONE)])
        (directory() / INSTALLED).write_text(_wanted(), encoding="utf-8")
    return _python()


def run(script: str, *arguments: str) -> dict[str, Any]:
    """What a peers' script writes, as one JSON object on its last line.

    Raises:
        PeersError: the script failed.
    """
    output = _run([str(install()), str(HERE / script), *arguments])
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def _python() -> Path:
    return directory() / "bin" / "python"


def _wanted() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes() + ALONE.read_bytes()).hexdigest()


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeersError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2_000:]}\n"
            f"The peers of {REQUIREMENTS} need a package index and Python 3.10 to 3.13;"
            " to measure without them, give --without-peers."
        )
    return done.stdout
