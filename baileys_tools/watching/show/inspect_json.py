"""The result of `inspect` as JSON (docs/json/inspect.schema.json)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from baileys_tools.frame.show.json_text import envelope, finding_json, name_text, timestamp
from baileys_tools.sessions.rules.creds import Creds, state_of
from baileys_tools.sessions.rules.inspected import Inspected
from baileys_tools.sessions.rules.snapshot import mask_account
from baileys_tools.sessions.rules.surroundings import Snapshots
from baileys_tools.watching.rules.inspection import (
    AGE_LIMITS,
    Inspection,
    baileys_version,
    count_of,
    kind_rows,
)
from baileys_tools.watching.show.verdict_json import verdict_facts


def inspect_json(inspection: Inspection, *, with_files: bool) -> str:
    """Given an inspection, return its JSON. `with_files` names the files that each finding speaks of."""
    findings = []
    for finding in inspection.findings:
        document = finding_json(finding)
        if with_files:
            document["files"] = [name_text(name) for name in inspection.evidence.get(finding.code, ())]
        findings.append(document)
    return envelope(
        "inspect",
        inspection.now,
        inspection.exit_code,
        {
            "company": name_text(inspection.company),
            **verdict_facts(inspection.verdict),
            "path": name_text(inspection.path),
            "folder": None if inspection.seen is None else _folder(inspection, inspection.seen),
            "snapshots": _snapshots(inspection.elsewhere.snapshots),
            "last_cleanup": _last_cleanup(inspection),
            "findings": findings,
        },
    )


def _folder(inspection: Inspection, seen: Inspected) -> dict[str, Any]:
    count, level = count_of(seen, inspection.rules)
    creds = seen.folder.creds
    return {
        "level": level.value,
        "files": count.files,
        "counted_files": count.counted,
        "guarded_pre_keys": count.guarded,
        "bytes": seen.size,
        "kept_bytes": seen.kept_bytes,
        "creds": state_of(creds).value,
        "account": mask_account(creds) if isinstance(creds, Creds) else "",
        "linked": isinstance(creds, Creds) and creds.paired,
        "baileys": baileys_version(seen),
        "last_activity": None if seen.last_activity is None else timestamp(seen.last_activity),
        "lock": name_text(seen.lock),
        "disk": {
            "bytes": seen.space.size,
            "free_bytes": seen.space.free,
            "inodes": seen.space.inodes,
            "free_inodes": seen.space.free_inodes,
        },
        "age_limits_days": [limit.days for limit in AGE_LIMITS],
        "kinds": [
            {
                "kind": row.kind.value,
                "files": row.files,
                "bytes": row.size,
                "newest_age_seconds": _seconds(row.newest),
                "oldest_age_seconds": _seconds(row.oldest),
                "by_age": list(row.by_age),
            }
            for row in kind_rows(seen, inspection.now)
        ],
    }


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())


def _snapshots(snapshots: Snapshots | None) -> dict[str, Any] | None:
    if snapshots is None:
        return None
    newest = snapshots.newest
    return {
        "whole": snapshots.stored,
        "newest": None if newest is None else newest.sequence,
        "newest_taken_at": None if newest is None else timestamp(newest.taken_at),
        "current": snapshots.is_current,
        "failure": snapshots.failure,
        "trouble": snapshots.trouble,
    }


def _last_cleanup(inspection: Inspection) -> dict[str, Any] | None:
    last = inspection.elsewhere.last_cleanup
    return (
        None
        if last is None
        else {"at": timestamp(last.at), "removed": last.removed, "put_back": last.put_back}
    )
