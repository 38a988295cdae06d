"""How our loops are compiled: no Python objects, no GIL, machine code cached on disk.

Numba notices that a function's own file changed, not that a function it calls in another file did,
and would run old code. So the cache lies in a directory named by the digest of all files that hold
such loops.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from nativize.home import cache_root

Function = TypeVar("Function", bound=Callable[..., object])

PACKAGE = Path(__file__).parent


def compiled(function: Function) -> Function:
    """The function as machine code; compiled at its first call, then read from the cache."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_root() / "numba" / _sources())
    try:
        jit = numba.njit(nogil=True, cache=True, error_model="numpy")
        return cast(Function, jit(function))
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def _sources() -> str:
    """Digest of every file with compiled loops; takes 10 ms."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_bytes()
        if b"nativize.compiled import" in text:
            digest.update(text)
    return digest.hexdigest()[:16]
