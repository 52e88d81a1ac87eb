"""What the doctor makes of facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.host.rules.doctor import (
    Check,
    CheckOutcome,
    clock_check,
    exit_code_of,
    lifetime_check,
    other_deleters,
    room_check,
    versions_check,
)

SESSIONS = "/srv/bot/sessions"


@pytest.mark.parametrize(
    "command",
    [
        "find /srv/bot/sessions -name 'pre-key-*' -mtime +3 -delete",
        "cd /srv && rm -f bot/sessions/company_*/session-*.json",
        "/bin/rm -rf /srv/bot/sessions/company_7",
        "find /srv/bot/sessions -type f -mtime +14 -exec rm {} +",
        "find /srv/bot/sessions -type f -exec /bin/rm {} ;",
        "tmpreaper 14d /srv/bot/sessions",
        "cd /srv/bot && node scripts/cleanup-sessions.js --force",
        "/usr/bin/node /srv/bot/session-monitor.js",
        "npm run cleanup >>/var/log/x 2>&1",
        "npx tsx tools/autoTrigger.ts",
        "rsync -a --remove-source-files /srv/bot/sessions/ /mnt/",
    ],
)
def test_who_may_delete_here_is_named(command: str) -> None:
    assert other_deleters([command], [SESSIONS]) == [command]


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/true",
        "find /var/log -mtime +7 -delete",
        "rm -rf /tmp/cache",
        "tar czf /mnt/backup.tgz /srv/bot/sessions",
        "node /srv/bot/index.js",
        "/home/bot/.local/bin/baileys-tools cleanup --quiet --sessions /srv/bot/sessions",
        "/opt/venv/bin/python -P -m baileys_tools cleanup",
        "du -s /srv/bot/sessions | mail ops; echo confirm /srv/bot/sessions",
    ],
)
def test_everybody_else_is_left_in_peace(command: str) -> None:
    assert other_deleters([command], [SESSIONS]) == []


def test_clocks() -> None:
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert clock_check(now, now, True).outcome is CheckOutcome.OK
    assert clock_check(now, None, None).outcome is CheckOutcome.OK
    assert clock_check(now, now, False).outcome is CheckOutcome.NOTE
    assert clock_check(now, now + timedelta(hours=23), True).outcome is CheckOutcome.OK
    assert clock_check(now, now + timedelta(hours=25), True).outcome is CheckOutcome.CRITICAL
    assert clock_check(datetime(1970, 1, 1, tzinfo=UTC), None, True).outcome is CheckOutcome.CRITICAL


@pytest.mark.parametrize(
    ("free", "inodes", "outcome"),
    [
        (50, 50, CheckOutcome.OK),
        (5, 50, CheckOutcome.OK),
        (4, 50, CheckOutcome.WARNING),
        (50, 4, CheckOutcome.WARNING),
        (0, 50, CheckOutcome.CRITICAL),
        (50, 0, CheckOutcome.CRITICAL),
    ],
)
def test_room(free: int, inodes: int, outcome: CheckOutcome) -> None:
    assert room_check("disk", free, 100, inodes, 100).outcome is outcome


def test_a_file_system_that_counts_no_inodes_has_enough_of_them() -> None:
    assert room_check("disk", 50, 100, 0, 0) == Check("disk", CheckOutcome.OK, "50% of the disk free")


@pytest.mark.parametrize(
    ("kind", "lasts"), [("ext4", True), ("", True), ("tmpfs", False), ("overlay", False)]
)
def test_what_does_not_outlive_a_start_is_named(kind: str, lasts: bool) -> None:
    assert [one.outcome for one in lifetime_check("/s", kind)] == ([] if lasts else [CheckOutcome.NOTE])


def test_the_worst_check_is_the_exit_code() -> None:
    def code(*outcomes: CheckOutcome) -> ExitCode:
        return exit_code_of([Check("x", outcome, "") for outcome in outcomes])

    assert code() is ExitCode.DONE
    assert code(CheckOutcome.OK, CheckOutcome.NOTE) is ExitCode.DONE
    assert code(CheckOutcome.OK, CheckOutcome.WARNING) is ExitCode.WARNING
    assert code(CheckOutcome.CRITICAL, CheckOutcome.WARNING) is ExitCode.CRITICAL
    assert versions_check((3, 10, 9), "/usr/bin/python3").outcome is CheckOutcome.CRITICAL
