"""The result of `monitor-once` as JSON: docs/json/monitor-once.schema.json."""

from __future__ import annotations

from typing import Any

from baileys_tools.findings import Finding
from baileys_tools.frame.show.json_text import envelope, finding_json, name_text, timestamp
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.rules.watch import MonitorReport
from baileys_tools.watching.show.verdict_json import verdict_facts


def monitor_json(report: MonitorReport) -> str:
    limits = report.thresholds
    result = {
        "sessions_path": name_text(report.root),
        "worst": report.worst.value,
        "thresholds": {
            "warning": limits.warning,
            "critical": limits.critical,
            "trigger": limits.trigger,
            "emergency": limits.emergency,
            "danger": limits.danger,
        },
        "host": [_finding(finding, report) for finding in report.host],
        "companies": [_company(company, report) for company in report.companies],
        "silences": _silences(report),
        "cleaned": [name_text(line) for line in report.cleaned],
        "trouble": [name_text(line) for line in report.trouble],
    }
    return envelope("monitor-once", report.now, report.exit_code, result)


def _silences(report: MonitorReport) -> list[dict[str, Any]]:
    if not report.silences:
        return []
    from baileys_tools.alerts.show.silence_text import silences_json

    return silences_json(report.silences, report.now)


def _company(company: CompanyStatus, report: MonitorReport) -> dict[str, Any]:
    return {
        "company": name_text(company.id),
        "path": name_text(company.path),
        **verdict_facts(company.verdict),
        "level": company.level.value,
        "severity": company.worst.value,
        "counted_files": company.counted,
        "files": company.files,
        "guarded_pre_keys": company.guarded,
        "by_kind": dict(company.by_kind),
        "creds": company.creds,
        "size": company.size,
        "last_activity": None if company.last_activity is None else timestamp(company.last_activity),
        "last_inbound": None if company.inbound is None else timestamp(company.inbound),
        "connection": company.connection or None,
        "last_snapshot": None if company.last_snapshot is None else timestamp(company.last_snapshot),
        "listed": company.listed,
        "findings": [_finding(finding, report) for finding in company.findings],
    }


def _finding(finding: Finding, report: MonitorReport) -> dict[str, Any]:
    return finding_json(finding) | {"new": (finding.code, finding.company) in report.news}
