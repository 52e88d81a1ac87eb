"""The result of `status` as JSON (docs/json/status.schema.json)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from baileys_tools.alerts.show.silence_text import silences_json
from baileys_tools.findings import Finding
from baileys_tools.frame.show.json_text import envelope, known_timestamp, name_text, timestamp
from baileys_tools.thresholds import LEVELS
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import STATES, CompanyStatus
from baileys_tools.watching.show.incidents_text import service_facts
from baileys_tools.watching.show.verdict_json import verdict_facts


def status_json(status: FleetStatus, indent: int | None = 2) -> str:
    levels, states = status.thresholds, status.states
    return envelope(
        "status",
        status.now,
        status.exit_code,
        {
            "sessions_path": name_text(status.root),
            "thresholds": {
                "warning": levels.warning,
                "critical": levels.critical,
                "trigger": levels.trigger,
                "emergency": levels.emergency,
                "danger": levels.danger,
            },
            "silences": silences_json([one for one in status.silences if one.is_on(status.now)], status.now),
            "state_trouble": name_text(status.trouble),
            "not_looked_after": status.unfound,
            "companies": [company_facts(company, status.now) for company in status.companies],
            "totals": {
                "companies": len(status.companies),
                "files": sum(company.files for company in status.companies),
                "counted_files": sum(company.counted for company in status.companies),
                "levels": {level.value: status.at_level(level) for level in LEVELS},
                "states": {one.value: states.get(one, 0) for one in STATES},
            },
        },
        indent,
    )


def company_facts(company: CompanyStatus, now: datetime) -> dict[str, Any]:
    forecast = company.forecast
    return {
        "company": name_text(company.id),
        "path": name_text(company.path),
        **verdict_facts(company.verdict),
        "level": company.level.value,
        "files": company.files,
        "counted_files": company.counted,
        "guarded_pre_keys": company.guarded,
        "by_kind": dict(company.by_kind),
        "creds": company.creds,
        "connection": company.connection or None,
        "last_activity": known_timestamp(company.last_activity),
        "last_inbound": known_timestamp(company.inbound),
        "last_cleanup": known_timestamp(company.cleaned.at if company.cleaned else None),
        "last_cleanup_removed": company.cleaned.removed if company.cleaned else None,
        "last_cleanup_put_back": company.cleaned.put_back if company.cleaned else None,
        "last_snapshot": known_timestamp(company.last_snapshot),
        "growth_per_day": None if company.growth is None else round(company.growth, 2),
        "next_level": None
        if forecast is None
        else {
            "level": forecast.level.value,
            "counted_files": forecast.threshold,
            "in_seconds": int(forecast.within.total_seconds()),
            "at": timestamp(now + forecast.within),
        },
        "service": None if company.service is None else service_facts(company.service),
        "worst": company.worst.value,
        "findings": [finding_document(finding) for finding in company.findings],
        "trouble": name_text(company.trouble),
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "action": finding.action,
        "facts": dict(finding.facts),
    }
