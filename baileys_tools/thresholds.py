"""From counted files to a level."""

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
    """Counted files at which a level begins; `danger` begins above its number."""

    warning: int = 150
    critical: int = 170
    trigger: int = 175
    emergency: int = 180
    danger: int = 185


def level_of(counted_files: int, thresholds: Thresholds) -> Level:
    """Given a number of counted files, return its level."""
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
