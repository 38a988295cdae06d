"""LLaMA-Factory's own Python: made once under NATIVIZE_HOME, on top of the project's packages.

It shares the project's torch, so that both multiply with the same library, and has its own
transformers, accelerate and peft, for it refuses newer ones.
"""

import hashlib
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.peers.environment import DEFAULT_HOME, INSTALLED
from nativize.home import nativize_home

REQUIREMENTS = Path(__file__).resolve().parent / "training-requirements.txt"


def directory() -> Path:
    return nativize_home(DEFAULT_HOME) / "peers-training"


def install() -> Path | str:
    """The interpreter, or why there is none, in words for the table."""
    mark, python = directory() / INSTALLED, directory() / "bin" / "python"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return python
    print(f"installing LLaMA-Factory into {directory()}, once (about a minute, 0.4 GB)", flush=True)
    mark.unlink(missing_ok=True)
    shared = sysconfig.get_path("purelib")
    pip = [str(python), "-m", "pip", "install", "-q", "--no-deps", "-r", str(REQUIREMENTS)]
    for command in ([sys.executable, "-m", "venv", "--clear", str(directory())], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"pip could not install it: {done.stderr.strip().splitlines()[-1]}"
        packages = next(directory().glob("lib/python*/site-packages"))
        (packages / "shared.pth").write_text(shared + "\n", encoding="utf-8")
    mark.write_text(wanted, encoding="utf-8")
    return python
