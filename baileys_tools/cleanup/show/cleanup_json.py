"""The result of `cleanup` and `undo` as JSON (docs/json/cleanup.schema.json, docs/json/undo.schema.json)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baileys_tools.cleanup.rules.cleanup_report import CleanupReport, CompanyCleanup
from baileys_tools.cleanup.rules.plan import CleanupPlan, Verdict
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.sessions.rules.removals import Outcome, Removals
from baileys_tools.units import moment_of


def cleanup_json(report: CleanupReport, *, kept_files: bool) -> str:
    """Given a report, return its JSON. `kept_files` lists kept files too, each with its reason."""
    companies = [_company(company, kept_files=kept_files) for company in report.companies]
    return envelope(
        "cleanup",
        report.now,
        report.exit_code,
        {
            "sessions_path": name_text(report.root),
            "dry_run": report.dry_run,
            "run": report.run,
            "companies": companies,
            "totals": _totals(report),
        },
    )


def _totals(report: CleanupReport) -> dict[str, int]:
    plans = [company.plan for company in report.companies if company.plan is not None]
    done = [company.removals for company in report.companies if company.removals is not None]
    return {
        "companies": len(report.companies),
        "files": sum(plan.files for plan in plans),
        "counted_files": sum(plan.counted_before for plan in plans),
        "to_remove": sum(plan.remove_count for plan in plans),
        "bytes_to_free": sum(plan.bytes_to_free for plan in plans),
        "removed": sum(removals.count(Outcome.REMOVED) for removals in done),
        "bytes_freed": sum(removals.bytes_freed for removals in done),
    }


def _company(company: CompanyCleanup, *, kept_files: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "company": name_text(company.id),
        "path": name_text(company.path),
        "status": company.status.value,
        "trouble": company.trouble,
        "creds_problem": company.creds_problem,
    }
    if company.plan is not None:
        document["plan"] = _plan(company.plan, company.verdicts, kept_files=kept_files)
    document["not_files"] = [{"name": name_text(odd.name), "what": odd.what} for odd in company.oddities]
    document["purged"] = {
        "files": company.purged_files,
        "bytes": company.purged_bytes,
        "errors": {name_text(name): error for name, error in company.purge_errors.items()},
    }
    if company.removals is not None:
        document["result"] = _result(company.removals)
        document["mended"] = [name_text(name) for name in company.mended]
        document["snapshot_trouble"] = name_text(company.snapshot_trouble)
        document["earlier_restore"] = name_text(company.earlier_restore)
    return document


def _plan(plan: CleanupPlan, verdicts: Sequence[Verdict], *, kept_files: bool) -> dict[str, Any]:
    by_name = sorted(verdicts, key=lambda verdict: verdict.name)
    document: dict[str, Any] = {
        "files": plan.files,
        "counted_files": plan.counted_before,
        "counted_files_after": plan.counted_after,
        "guarded_pre_keys": plan.guarded_pre_keys,
        "by_kind": {kind.value: count for kind, count in plan.by_kind.items()},
        "level_before": plan.level_before.value,
        "level_after": plan.level_after.value,
        "tier": plan.tier.value,
        "emergency_would_leave": plan.emergency_would_leave,
        "holds": [hold.value for hold in plan.holds],
        "silences": [
            {"from": _stamp(silence.start_ns), "to": _stamp(silence.end_ns)} for silence in plan.silences
        ],
        "bytes_to_free": plan.bytes_to_free,
        "cost": {
            "contacts": plan.cost.contacts,
            "group_senders": plan.cost.group_senders,
            "pre_keys": plan.cost.pre_keys,
            "key_messages": plan.cost.key_messages,
            "bundles": plan.cost.bundles,
        },
        "pre_keys_if_replaced": plan.pre_keys_if_replaced,
        "remove": [_verdict(verdict) for verdict in by_name if verdict.remove],
    }
    if kept_files:
        document["keep"] = [_verdict(verdict) for verdict in by_name if not verdict.remove]
    return document


def _verdict(verdict: Verdict) -> dict[str, Any]:
    document: dict[str, Any] = {
        "file": name_text(verdict.name),
        "kind": verdict.kind.value,
        "reason": verdict.reason.value,
    }
    if verdict.age_ns is not None:
        document["age_seconds"] = verdict.age_ns // 1_000_000_000
    if verdict.silent_ns:
        document["silent_seconds"] = verdict.silent_ns // 1_000_000_000
    return document


def _stamp(moment_ns: int) -> str:
    return timestamp(moment_of(moment_ns))


def _result(removals: Removals) -> dict[str, Any]:
    return {
        "removed": removals.count(Outcome.REMOVED),
        "bytes_freed": removals.bytes_freed,
        "already_gone": removals.count(Outcome.ALREADY_GONE),
        "failed": removals.count(Outcome.FAILED),
        "without_undo": removals.without_undo,
        "write_leases": removals.leases,
        "not_removed": [
            {
                "file": name_text(name),
                "outcome": outcome.value,
                **({"error": removals.errors[name]} if name in removals.errors else {}),
            }
            for name, outcome in removals.outcomes.items()
            if outcome is not Outcome.REMOVED
        ],
    }
