"""Documents that are lost to better ones, and to which."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.documents import Documents, Equals, Mask, Numbers


@dataclass(frozen=True)
class Lost:
    """Documents that are lost, ascending, and those that stay in their place.

    Attributes:
        documents: n of them.
        kept: for each the one that stays.
        similarity: exact Jaccard similarity of both.
    """

    documents: Numbers
    kept: Numbers
    similarity: NDArray[np.float64]

    @classmethod
    def nobody(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    @classmethod
    def to_best(cls, documents: Documents, equals: Equals) -> Self:
        """All of each group but its best."""
        members, groups = equals
        best = documents.best(members, groups)[groups] if len(members) else members
        lost = np.flatnonzero(best != members)
        lost = lost[np.argsort(members[lost])]
        return cls(members[lost], best[lost], np.ones(len(lost)))

    def pairs(self) -> Numbers:
        """Each with the one that stays (n x 2)."""
        return np.stack([self.kept, self.documents], axis=1)

    def only(self, mask: Mask) -> Self:
        return type(self)(self.documents[mask], self.kept[mask], self.similarity[mask])

    def beside(self, others: Self) -> Self:
        """Both together; nobody is lost twice."""
        documents = np.concatenate([self.documents, others.documents])
        order = np.argsort(documents)
        return type(self)(
            documents[order],
            np.concatenate([self.kept, others.kept])[order],
            np.concatenate([self.similarity, others.similarity])[order],
        )

    def behind(self, others: Self) -> Self:
        """Both together, where who stays here may be lost there."""
        if not len(others.documents):
            return self
        at = np.searchsorted(others.documents, self.kept)
        at = np.minimum(at, len(others.documents) - 1)
        moved = others.documents[at] == self.kept
        kept = np.where(moved, others.kept[at], self.kept)
        similarity = np.where(moved, others.similarity[at], self.similarity)
        return type(self)(self.documents, kept, similarity).beside(others)
