"""Accounts: what entered a stage is what was kept, dropped by reason, or quarantined.

Entered is counted where documents come in, the rest where they go, so that a lost document
shows as a difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from nativize.errors import AccountsError


@dataclass
class Count:
    """Documents with their size as they entered: characters and UTF-8 bytes of text."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0

    def add(self, text: str) -> None:
        self.documents += 1
        self.characters += len(text)
        self.bytes += len(text.encode("utf-8", "surrogatepass"))

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.documents + other.documents,
            self.characters + other.characters,
            self.bytes + other.bytes,
        )


@dataclass
class Accounts:
    """The books of one stage or one shard of it; `verify` before anything is published."""

    entered: Count = field(default_factory=Count)
    kept: Count = field(default_factory=Count)
    quarantined: Count = field(default_factory=Count)
    dropped: dict[str, Count] = field(default_factory=dict)

    def enter(self, text: str) -> None:
        self.entered.add(text)

    def keep(self, text: str) -> None:
        self.kept.add(text)

    def quarantine(self, text: str) -> None:
        self.quarantined.add(text)

    def drop(self, reason: str, text: str) -> None:
        self.dropped.setdefault(reason, Count()).add(text)

    def dropped_total(self) -> Count:
        return sum(self.dropped.values(), Count())

    def verify(self, where: str) -> None:
        """Nothing, when the books balance.

        Raises:
            AccountsError: they do not; names the place and the difference.
        """
        accounted = self.kept + self.dropped_total() + self.quarantined
        if accounted != self.entered:
            raise AccountsError(
                f"{where}: entered {self.entered}, but kept + dropped + quarantined is {accounted}."
                " Nothing was published. This is a defect of the stage, please report it."
            )

    @classmethod
    def total(cls, parts: Iterable["Accounts"]) -> "Accounts":
        """The sum over shards."""
        whole = cls()
        for part in parts:
            whole.entered += part.entered
            whole.kept += part.kept
            whole.quarantined += part.quarantined
            for reason, count in part.dropped.items():
                whole.dropped[reason] = whole.dropped.get(reason, Count()) + count
        whole.dropped = dict(sorted(whole.dropped.items()))
        return whole

    def to_json(self) -> dict[str, Any]:
        return {
            "entered": vars(self.entered),
            "kept": vars(self.kept),
            "quarantined": vars(self.quarantined),
            "dropped": {reason: vars(count) for reason, count in sorted(self.dropped.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            entered=Count(**data["entered"]),
            kept=Count(**data["kept"]),
            quarantined=Count(**data["quarantined"]),
            dropped={reason: Count(**count) for reason, count in data["dropped"].items()},
        )
