"""Numbers, bytes, lists and structs from Thrift's compact protocol, which Parquet's headers speak.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

BOOLEANS, BYTE, INTEGERS, DOUBLE, BYTES, LISTS, STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 12
DEEPEST = 20


class ThriftError(ValueError):
    """Bytes that are no Thrift."""


class Compact:
    """A cursor over bytes; `position` is behind what was read.

    Raises:
        ThriftError: the bytes end early, nest too deep, or hold a kind that Parquet has not.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct by their numbers."""
        if depth > DEEPEST:
            raise ThriftError("nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while byte := self._byte():
            number = number + (byte >> 4) if byte >> 4 else self._zigzag()
            kind = byte & 15
            fields[number] = kind == 1 if kind in BOOLEANS else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in LISTS:
            return self._list(depth)
        if kind in INTEGERS:
            return self._zigzag()
        if kind == BYTES:
            return self._take(self._number())
        if kind in (BYTE, *BOOLEANS):  # in a list a boolean is a byte
            return self._take(1)
        if kind == DOUBLE:
            return self._take(8)
        raise ThriftError(f"unknown kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        byte = self._byte()
        size = byte >> 4 if byte >> 4 < 15 else self._number()
        if size > len(self._data) - self.position:
            raise ThriftError("a list is longer than what holds it")
        return [self._value(byte & 15, depth) for _ in range(size)]

    def _zigzag(self) -> int:
        value = self._number()
        return value >> 1 ^ -(value & 1)

    def _number(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ThriftError("a number is too long")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        begin, self.position = self.position, self.position + count
        if self.position > len(self._data):
            raise ThriftError("it ends early")
        return self._data[begin : self.position]
