"""The results of `backup`, `snapshots`, `verify` and `prune` as JSON (schemas in docs/json/)."""

from __future__ import annotations

from typing import Any

from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.sessions.rules.snapshot import Manifest, SnapshotInfo
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup
from baileys_tools.snapshots.rules.prune_report import (
    CompanyPrune,
    KeepReport,
    PruneReport,
    SnapshotHealth,
    SnapshotsReport,
    VerifyReport,
)
from baileys_tools.snapshots.rules.retention import Decision
from baileys_tools.snapshots.rules.shelf_names import name_of


def backup_json(report: BackupReport) -> str:
    return envelope(
        "backup",
        report.now,
        report.exit_code,
        {
            "sessions_path": name_text(report.root),
            "repository": name_text(report.repository),
            "dry_run": report.dry_run,
            "encrypted": report.encrypted,
            "companies": [_company_backup(company) for company in report.companies],
            "copies": [
                {
                    "target": name_text(copy.target),
                    "sent": copy.sent,
                    "removed": copy.removed,
                    "waiting": copy.waiting,
                    "gone": copy.gone,
                    "trouble": name_text(copy.trouble),
                    "damaged": [
                        {"company": name_text(name_of(info.company)), "sequence": info.sequence}
                        for info in copy.damaged
                    ],
                }
                for copy in report.copies or ()
            ],
            "totals": {status.value: report.count(status) for status in BackupStatus},
        },
    )


def _company_backup(company: CompanyBackup) -> dict[str, Any]:
    return {
        "company": name_text(company.id),
        "path": name_text(company.path),
        "status": company.status.value,
        "trouble": name_text(company.trouble),
        "snapshot": _snapshot(company.snapshot) if company.snapshot is not None else None,
        "fetched": company.fetched,
        "refused": [info.sequence for info in company.refused],
        "files": company.files,
        "bytes": company.bytes,
        "left_out": [{"name": name_text(odd.name), "what": odd.what} for odd in company.left_out],
        "removed": [info.sequence for info in company.removed],
        "damaged": [info.sequence for info in company.damaged],
    }


def snapshots_json(report: SnapshotsReport) -> str:
    """Given a listing, return its JSON, oldest first."""
    return envelope(
        "snapshots",
        report.now,
        report.exit_code,
        {
            "repository": name_text(report.repository),
            "companies": [
                {
                    "company": name_text(name_of(company.company)),
                    **_path(company.source),
                    "trouble": name_text(company.trouble),
                    "last_failure": {"why": name_text(company.failure), "at": company.failed_at}
                    if company.failure
                    else None,
                    "snapshots": [_snapshot(info) for info in company.snapshots],
                }
                for company in report.companies
            ],
        },
    )


def keep_json(report: KeepReport) -> str:
    """Given what was pinned or released, return its JSON."""
    return envelope(
        "keep",
        report.now,
        ExitCode.DONE,
        {
            "company": name_text(report.snapshot.company),
            "repository": name_text(report.repository),
            "snapshot": _snapshot(report.snapshot),
        },
    )


def verify_json(report: VerifyReport) -> str:
    return envelope(
        "verify",
        report.now,
        report.exit_code,
        {
            "repository": name_text(report.repository),
            "deep": report.deep,
            "results": [
                {
                    "company": name_text(name_of(result.snapshot.company)),
                    **_path(report.sources.get(result.snapshot.company, "")),
                    "snapshot": _snapshot(result.snapshot),
                    "health": result.health.value,
                    "why": name_text(result.why),
                    "manifest": _manifest(result.manifest) if result.manifest is not None else None,
                }
                for result in report.results
            ],
            "troubles": [name_text(trouble) for trouble in report.troubles],
            "totals": {health.value: report.count(health) for health in SnapshotHealth},
        },
    )


def prune_json(report: PruneReport) -> str:
    """Given a report, return its JSON, newest first."""
    return envelope(
        "prune",
        report.now,
        report.exit_code,
        {
            "repository": name_text(report.repository),
            "dry_run": report.dry_run,
            "companies": [_company_prune(company, report) for company in report.companies],
        },
    )


def _company_prune(company: CompanyPrune, report: PruneReport) -> dict[str, Any]:
    return {
        "company": name_text(name_of(company.company)),
        **_path(report.sources.get(company.company, "")),
        "locked": company.locked,
        "trouble": name_text(company.trouble),
        "plan": [_decision(decision) for decision in company.plan],
        "removed": [info.sequence for info in company.removed],
        "damaged": [info.sequence for info in company.damaged],
    }


def _path(source: str) -> dict[str, str]:
    return {"path": name_text(source)} if source else {}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "snapshot": _snapshot(decision.snapshot),
        "keep": decision.keep,
        "reasons": [reason.value for reason in decision.reasons],
    }


def _snapshot(info: SnapshotInfo) -> dict[str, Any]:
    return {
        "sequence": info.sequence,
        "taken_at": timestamp(info.taken_at),
        "tag": info.tag,
        "file": info.file,
        "bytes": info.size,
        "encrypted": info.encrypted,
        "damaged": info.damaged,
        "kept_until": None if info.kept_until is None else timestamp(info.kept_until),
    }


def _manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": manifest.format,
        "tool": manifest.tool,
        "host": manifest.host,
        "account": manifest.account.masked,
        "files": manifest.files,
        "bytes": manifest.bytes,
        "counts": {kind.value: count for kind, count in manifest.counts.items()},
    }
