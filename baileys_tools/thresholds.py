"""From counted files to a level."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How full a session folder is, mildest first."""

    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"
    TRIGGER = "trigger"
    EMERGENCY = "emergency"
    DANGER = "danger"


LEVELS = tuple(Level)
"""The levels, mildest first."""


class Thresholds(NamedTuple):
    """Counted files at which a level begins; `danger` begins above its number.

    `counts` are the kinds that count, None for all. `baseline` is what the folder usually has, where the numbers were
    learnt from it.
    """

    warning: int = 150
    critical: int = 170
    trigger: int = 175
    emergency: int = 180
    danger: int = 185
    counts: frozenset[str] | None = None
    baseline: int | None = None

    def uncounted(self, by_kind: Iterable[tuple[str, int]]) -> int:
        """Return how many files of these kinds do not count by these settings."""
        counts = self.counts
        return 0 if counts is None else sum(files for kind, files in by_kind if kind not in counts)

    def learnt(self, baseline: int) -> "Thresholds":
        """Return thresholds that begin above what the folder usually has, as far apart as these; never lower ones."""
        shift = max(0, baseline + max(LEAST_MARGIN, baseline // MARGIN_PART) - self.warning)
        return self._replace(
            warning=self.warning + shift,
            critical=self.critical + shift,
            trigger=self.trigger + shift,
            emergency=self.emergency + shift,
            danger=self.danger + shift,
            baseline=baseline,
        )


LEAST_MARGIN = 20
MARGIN_PART = 4
"""How far above its baseline a folder is at level warning: by a fourth of it, and by `LEAST_MARGIN` files at least."""


def level_of(counted_files: int, thresholds: Thresholds) -> Level:
    if counted_files > thresholds.danger:
        return Level.DANGER
    if counted_files >= thresholds.emergency:
        return Level.EMERGENCY
    if counted_files >= thresholds.trigger:
        return Level.TRIGGER
    if counted_files >= thresholds.critical:
        return Level.CRITICAL
    if counted_files >= thresholds.warning:
        return Level.WARNING
    return Level.HEALTHY
