"""What `backup`, `prune` and `verify` tell the operator's channels, where there are any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from baileys_tools.config import Settings
from baileys_tools.findings import Finding
from baileys_tools.snapshots.rules.backup_report import BackupReport
from baileys_tools.snapshots.rules.prune_report import PruneReport, VerifyReport

if TYPE_CHECKING:
    from baileys_tools.alerts.rules.alerts import LookedAt


def tell_of_backup(report: BackupReport, settings: Settings, now: datetime) -> None:
    """Send the alerts that are due after a backup. Never raises, and changes no result."""
    if not settings.tells_anybody:
        return
    from baileys_tools.snapshots.rules.backup_findings import backup_findings, looked_at

    findings = backup_findings(report)
    # A damaged snapshot is marked where it is found and not found again, and what had gone from a place is sent again:
    # so they are news and nothing that lasts.
    news = [finding for finding in findings if finding.code in ("snapshot-damaged", "copies-gone")]
    lasting = [finding for finding in findings if finding not in news]
    wanted = settings.sessions.companies
    _send(settings, now, lasting, looked_at(report, wanted), news)


def tell_of_damage(report: PruneReport | VerifyReport, settings: Settings, now: datetime) -> None:
    """Send word of the damaged snapshots that were found. Never raises, and changes no result."""
    if not settings.tells_anybody:
        return
    from baileys_tools.alerts.rules.alerts import LookedAt
    from baileys_tools.snapshots.rules.backup_findings import damage_findings

    if news := damage_findings(report):
        _send(settings, now, (), LookedAt(frozenset()), news)


def _send(
    settings: Settings,
    now: datetime,
    lasting: Iterable[Finding],
    looked_at: LookedAt,
    news: Iterable[Finding],
) -> None:
    from baileys_tools.alerts.sending import send_alerts
    from baileys_tools.frame.companies import open_state_about

    with open_state_about(settings, now) as state:
        send_alerts(state, settings, lasting, now, looked_at, done=news)
