"""The loss scale of fp16, whose gradients would vanish below 6e-8 (Micikevicius et al. 2018)."""

import math

FIRST, MOST = 2.0**16, 2.0**24
GROWTH_STEPS = 2_000
"""Steps without an overflow before the scale is doubled again, as torch's GradScaler."""


class LossScale:
    """What losses are multiplied with; 1 for ever in other precisions.

    Attributes:
        value: the scale now.
        calm: steps since it last changed.
        overflows: steps in a row whose gradients were no numbers.
    """

    def __init__(self, needed: bool) -> None:
        self.needed = needed
        self.value = FIRST if needed else 1.0
        self.calm = 0
        self.overflows = 0

    def update(self, norm: float) -> bool:
        """Whether gradients of this norm may move weights; the scale fits itself to them."""
        if not self.needed:
            return True
        if not math.isfinite(norm):
            self.value, self.calm = max(self.value / 2, 1.0), 0
            self.overflows += 1
            return False
        self.overflows = 0
        self.calm += 1
        if self.calm >= GROWTH_STEPS:
            self.value, self.calm = min(self.value * 2, MOST), 0
        return True

    def state(self) -> list[float]:
        """What `load` takes back."""
        return [self.value, self.calm, self.overflows]

    def load(self, state: list[float]) -> None:
        """Go on with an earlier scale."""
        if self.needed:
            self.value, self.calm, self.overflows = state[0], int(state[1]), int(state[2])
