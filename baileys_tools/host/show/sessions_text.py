"""Prints what `sessions` has found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from baileys_tools.config.root_kinds import plain_root
from baileys_tools.frame.show.json_text import name_text
from baileys_tools.frame.show.terminal import WIDTH, wrapped
from baileys_tools.host.rules.sessions_found import SessionsFound
from baileys_tools.units import counted, printable

MOST_SHOWN = 40


def sessions_text(found: SessionsFound) -> str:
    """Return the result in words: each session folder with its rule and writer, then what was passed by."""
    lines: list[str] = []
    for one in found.sessions[:MOST_SHOWN]:
        lines.append(f"company {printable(one.id)}  {printable(one.path)}")
        lines.append(f"  found by  {printable(one.rule)}{', through a link' if one.linked else ''}")
        if one.trouble:
            lines += wrapped(f"  trouble   {printable(one.trouble)}", WIDTH, "", " " * 12)
        elif one.writer.program:
            lines += wrapped(
                f"  written   by {one.writer.program} ({printable(one.writer.because)})", WIDTH, "", " " * 12
            )
    if len(found.sessions) > MOST_SHOWN:
        lines.append(f"and {len(found.sessions) - MOST_SHOWN} more (--json has all)")
    for root in found.roots:
        if not root.is_there:
            told = f": {root.why}" if root.why else " is not there"
            lines.append(printable(root.path + told))
    if found.passed:
        lines += ["", "passed by"]
        for passed in found.passed[:MOST_SHOWN]:
            lines += wrapped(f"  {printable(passed.path)}: {passed.why}", WIDTH, "", "    ")
        if len(found.passed) > MOST_SHOWN:
            lines.append(f"  and {len(found.passed) - MOST_SHOWN} more (--json has all)")
    if found.proposed:
        more = sum(one.number for one in found.proposed)
        lines += [
            "",
            f"{counted(more, 'more session folder')} not looked after. In the settings file, for all of them:",
        ]
        lines += settings_lines(found)
    where = counted(len(found.roots), "root")
    lines += [
        "",
        f"{counted(len(found.sessions), 'company', 'companies')} in {where}: {printable(found.root)}",
    ]
    return "\n".join(lines).lstrip("\n")


def settings_lines(found: SessionsFound) -> list[str]:
    """Return the settings that find what is proposed, as they stand in a settings file."""
    return [
        "  sessions:",
        "    roots:",
        *(f"      - {json.dumps(plain_root(root), ensure_ascii=False)}" for root in found.settings),
    ]


def sessions_json(found: SessionsFound) -> Mapping[str, Any]:
    return {
        "sessions_path": name_text(found.root),
        "roots": [
            {"path": name_text(root.path), "there": root.is_there, "companies": root.companies}
            for root in found.roots
        ],
        "companies": [
            {
                "id": name_text(one.id),
                "path": name_text(one.path),
                "place": name_text(one.place),
                "rule": one.rule,
                "linked": one.linked,
                "writer": one.writer.program or None,
                "because": name_text(one.writer.because) or None,
                "trouble": one.trouble or None,
            }
            for one in found.sessions
        ],
        "passed_by": [{"path": name_text(one.path), "why": one.why} for one in found.passed],
        "proposed": [
            {"root": name_text(one.root), "pattern": name_text(one.pattern), "companies": one.number}
            for one in found.proposed
        ],
    }
