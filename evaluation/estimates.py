"""Figures with what they are worth: a value, its interval, and what it was made of; or why there is none."""

from dataclasses import dataclass
from typing import Final

LEVEL: Final = 0.95
"""How often an interval covers the truth, if its assumptions hold."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval at `LEVEL`, from `n` items of so many `clusters` (tenants), and by which method."""

    value: float
    low: float
    high: float
    n: int
    clusters: int
    method: str

    @property
    def width(self) -> float:
        """From one end of the interval to the other."""
        return self.high - self.low

    def covers(self, truth: float) -> bool:
        """Whether the interval holds a value."""
        return bool(self.low <= truth <= self.high)

    def __str__(self) -> str:
        """`0.83 [0.74, 0.90]`."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Insufficient:
    """No figure: the data do not allow one. `why` is a sentence for whoever reads the report."""

    why: str
    n: int = 0

    def __str__(self) -> str:
        """`insufficient data: ...`."""
        return f"insufficient data: {self.why}"


Figure = Estimate | Insufficient
