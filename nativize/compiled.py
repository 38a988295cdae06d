"""How our loops are compiled: no Python objects, no GIL, machine code cached on disk."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function as machine code; compiled at its first call, then read from the cache."""
    return cast(Function, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
