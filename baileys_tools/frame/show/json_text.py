"""The JSON that commands print: one versioned envelope, its schemas in docs/json/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from baileys_tools import __version__
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.findings import Finding
from baileys_tools.units import is_utf8, printable

SCHEMA_VERSION = 1


def envelope(
    command: str, now: datetime, exit_code: ExitCode, result: Mapping[str, Any], indent: int | None = 2
) -> str:
    """Given a command's result, return the JSON document for standard output.

    `schema` grows by one when a field changes its meaning or goes; new fields may come at any time. Without an indent
    it is on one line, and made in a fifth of the time.
    """
    document = {
        "tool": "baileys-tools",
        "version": __version__,
        "command": command,
        "schema": SCHEMA_VERSION,
        "now": timestamp(now),
        "exit_code": int(exit_code),
        **result,
    }
    # ASCII alone: no control character of a file name reaches a terminal.
    return json.dumps(document, indent=indent)


def error_json(command: str, error: BaileysToolsError) -> str:
    """Given what ended a command before it had a result, return the JSON document for standard output."""
    said = {"message": error.message, "hint": error.hint}
    return envelope(command, datetime.now(UTC), error.exit_code, {"error": said})


def timestamp(moment: datetime) -> str:
    """Given an aware time, return it as ISO 8601 in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def known_timestamp(moment: datetime | None) -> str | None:
    """As `timestamp`, of a time that may not be known."""
    return None if moment is None else timestamp(moment)


def finding_json(finding: Finding) -> dict[str, Any]:
    """Given a finding, return it for JSON (docs/findings.md has the codes)."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "company": name_text(finding.company),
        "message": finding.message,
        "action": finding.action,
        "facts": dict(finding.facts),
    }


def name_text(name: str) -> str:
    """Given a file name, return it for JSON: bytes that are no UTF-8 appear as `\\xNN`."""
    return name if is_utf8(name) else printable(name)


def shown_text(text: str) -> str:
    """Given any text, return it as a page may show it: no phone number, nothing that a terminal acts on (a page is
    also read in one), and nothing that turns round what stands beside it.
    """
    from baileys_tools.frame.show.terminal import printable_lines
    from baileys_tools.masking import numbers_masked

    return printable_lines(numbers_masked(text))
