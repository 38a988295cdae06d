"""Where everything that the project writes lives."""

import os
from pathlib import Path


def nativize_home(default: Path = Path(".nativize")) -> Path:
    """``NATIVIZE_HOME``, else ``default``, as an absolute path."""
    return Path(os.environ.get("NATIVIZE_HOME") or default).resolve()
