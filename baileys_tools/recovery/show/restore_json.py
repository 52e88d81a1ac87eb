"""The result of `restore` as JSON (docs/json/restore.schema.json)."""

from __future__ import annotations

from typing import Any

from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.recovery.rules.restore_report import RestoreReport
from baileys_tools.sessions.rules.restore_plan import RestorePlan
from baileys_tools.sessions.rules.snapshot import SnapshotInfo


def restore_json(report: RestoreReport) -> str:
    document: dict[str, Any] = {
        "company": name_text(report.company),
        "path": name_text(report.path),
        "target": None if report.target is None else name_text(report.target),
        "status": report.status.value,
        "snapshot": _snapshot(report.snapshot),
        "account": report.manifest.account.masked,
        "plan": None if report.plan is None else _plan(report.plan),
        "forced": [refusal.objection.value for refusal in report.forced],
        "result": {
            "brought_back": [name_text(name) for name in report.brought_back],
            "set_aside": [name_text(name) for name in report.set_aside],
            "kept": [{"file": name_text(name), "why": why} for name, why in sorted(report.kept.items())],
            "run": report.run,
            "before": None if report.before is None else _snapshot(report.before),
            "old_run": report.old_run,
            "in_one_step": report.in_one_step,
            "earlier": report.earlier,
        },
    }
    return envelope("restore", report.now, report.exit_code, document)


def _snapshot(info: SnapshotInfo) -> dict[str, Any]:
    return {"id": info.id, "file": info.file, "taken_at": timestamp(info.taken_at), "tag": info.tag}


def _plan(plan: RestorePlan) -> dict[str, Any]:
    return {
        "mode": plan.mode.value,
        "traffic": plan.traffic.value,
        "traffic_sign": name_text(plan.traffic_sign),
        "next_pre_key_id": plan.next_pre_key_id,
        "cost": {
            "contacts": plan.cost.contacts,
            "older_sessions": plan.cost.older_sessions,
            "group_senders": plan.cost.group_senders,
            "older_keys": plan.cost.older_keys,
            "pre_keys": plan.cost.pre_keys,
            "pre_keys_untold": plan.cost.pre_keys_untold,
        },
        "refusals": [
            {
                "objection": refusal.objection.value,
                "text": name_text(refusal.text),
                "can_be_forced": refusal.can_be_forced,
            }
            for refusal in plan.refusals
        ],
        "files": [
            {
                "file": name_text(verdict.name),
                "kind": verdict.kind.value,
                "action": verdict.action.value,
                "reason": verdict.reason.value,
            }
            for verdict in plan.verdicts
        ],
    }
