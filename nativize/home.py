"""Where everything that nativize writes lives: what was made, and what is only kept warm."""

import os
from pathlib import Path


def nativize_home(default: Path = Path(".nativize")) -> Path:
    """``NATIVIZE_HOME``, else ``default``, as an absolute path."""
    return Path(os.environ.get("NATIVIZE_HOME") or default).resolve()


def cache_root() -> Path:
    """``NATIVIZE_CACHE``, else ``~/.cache/nativize``: programs and machine code, remade at need."""
    cache = os.environ.get("NATIVIZE_CACHE")
    return Path(cache) if cache else Path.home() / ".cache" / "nativize"
