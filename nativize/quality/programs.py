"""Where KenLM's own programs are: the Python wheel scores, but only `lmplz` can train.

No package index carries them; `python -m nativize.quality.lmplz` builds both in about a minute.
"""

import os
import shutil
import sys
from pathlib import Path

from nativize.errors import ToolMissingError
from nativize.home import cache_root

PROGRAMS = ("lmplz", "build_binary")
KENLM_VERSION = "0.3.0"
BUILD_COMMAND = "python -m nativize.quality.lmplz"


def find_program(name: str) -> Path:
    """The program's path: on PATH, beside this Python, or in the cache directory.

    Raises:
        ToolMissingError: it is in none of them; names the command that builds it.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), str(cache_directory())])
    found = shutil.which(name) or shutil.which(name, path=places)
    if found is None:
        raise ToolMissingError(
            f"{name} is neither on PATH nor in {places.replace(os.pathsep, ' nor in ')};"
            f" the quality model cannot be trained without it. Build it once: {BUILD_COMMAND}"
        )
    return Path(found)


def cache_directory() -> Path:
    """Where programs go when the environment's own ``bin`` cannot be written."""
    return cache_root() / f"kenlm-{KENLM_VERSION}" / "bin"
