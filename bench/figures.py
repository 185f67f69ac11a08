"""What a measurement is: a name, values with their spread, the target, whether it was reached."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Figure:
    """`target` is a sentence of quality; `reached` compares the median unless said otherwise."""

    id: str
    what: str
    unit: str
    target: str
    reached: bool
    values: Sequence[float]
    method: str
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return median(self.values)


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
