"""Fingerprints: SHA-256 over canonical JSON, and the diff of two payloads in words.

A payload holds identity only. A value without one stable form (a path, a set, an object, NaN)
raises instead of being turned into some text that may differ tomorrow.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from nativize.errors import ArtifactError

Payload = Mapping[str, Any]


def canonical_json(value: Any) -> str:
    """The one JSON text of a plain value: sorted keys, no spaces, UTF-8.

    Raises:
        ArtifactError: a value without a stable form; names where it stands.
    """
    _require_plain(value, "payload")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(payload: Payload) -> str:
    """SHA-256 of a payload's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(payload).encode()).hexdigest()


def difference(old: Payload | None, new: Payload) -> list[str]:
    """What changed between two payloads, one field a line; "first build" without an old one."""
    if old is None:
        return ["first build"]
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{path}: {_shown(before.get(path))} → {_shown(after.get(path))}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ArtifactError(f"{where}: {value} has no stable form; use a finite number")
    if value is None or type(value) in (str, int, bool, float):
        return
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        for key, item in value.items():
            _require_plain(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _require_plain(item, f"{where}[{index}]")
    else:
        kind = type(value).__name__
        raise ArtifactError(f"{where}: a {kind} has no stable form; give text or numbers")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    is_digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return text[:12] if is_digest else text
