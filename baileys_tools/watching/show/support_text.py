"""The support bundle as a page of Markdown, to be pasted into a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MARK = b"# Support bundle of baileys-tools"
JSON_MARK = b'{\n  "tool": "baileys-tools"'


def support_markdown(bundle: Mapping[str, Any], now: str) -> str:
    """Given the bundle, masked already, and the time of it, return the page."""
    return "\n".join(_lines(bundle, now))


def _lines(bundle: Mapping[str, Any], now: str) -> Iterator[str]:
    yield MARK.decode()
    yield ""
    yield f"{now}. Companies are c1, c2 ...; x1, x2 ... are words that could tell whose bots these are."
    versions = bundle["versions"]
    yield from _part("Versions")
    yield from (f"- {name}: {value}" for name, value in versions.items() if name != "libraries")
    yield f"- libraries: {_pairs(versions['libraries'])}"
    if bundle["troubles"]:
        yield from _part("What could not be looked at")
        yield from (f"- {one['part']}: {one['why']}" for one in bundle["troubles"])
    yield from _part("Settings that are not the default")
    yield from (f"- {one['setting']}: {one['value']} ({one['from']})" for one in bundle["settings"])
    yield from _part("Doctor")
    yield from (f"- {one['outcome']}: {one['name']}: {one['message']}" for one in bundle["doctor"])
    yield from _part("Folders")
    if census := bundle["census"]:
        for name, value in census.items():
            yield f"- {name}: {_pairs(value) if isinstance(value, Mapping) else value}"
    for one in bundle["companies"]:
        yield from _company(one)
    yield from _part("Runs of the last 7 days, the newest last")
    for run in bundle["runs"]:
        dry = ", dry run" if run["dry_run"] else ""
        counts = f", {_pairs(run['counts'])}" if run["counts"] else ""
        yield (
            f"- {run['started']} {run['command']}: exit code {run['exit_code']}, {run['seconds']} s, "
            f"by {run['by']}{dry}{counts}"
        )
    yield from _part("Incidents, the newest first")
    for incident in bundle["incidents"]:
        yield (
            f"- {incident['company']}: {incident['cause']}, {incident['opened']} to {incident['closed'] or 'now'}"
        )
        yield from (f"  - {entry['at']} {entry['what']}: {entry['detail']}" for entry in incident["timeline"])


def _part(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _company(one: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {one['company']}: {one['state']}", "")
    for name, value in one.items():
        if name in ("company", "state", "findings") or value in (None, "", {}):
            continue
        yield f"- {name}: {_pairs(value) if isinstance(value, Mapping) else value}"
    yield from (f"- {found['severity']}: {found['code']}: {found['message']}" for found in one["findings"])


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value) or "none"
