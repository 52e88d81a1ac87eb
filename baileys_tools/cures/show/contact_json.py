"""What a folder holds of one contact, as JSON (docs/json/contact.schema.json)."""

from __future__ import annotations

from baileys_tools.cures.rules.contact import ContactReport
from baileys_tools.cures.show.contact_text import _moment
from baileys_tools.cures.show.words import address_shown, user_shown
from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.json_text import envelope, name_text, timestamp
from baileys_tools.units import moment_of


def contact_json(report: ContactReport, *, show_numbers: bool) -> str:
    """Given a report, return it as JSON. Numbers are masked unless they were asked for."""
    held = report.held
    who = held.identity
    last = held.unreadable.last
    return envelope(
        "contact",
        report.now,
        ExitCode.DONE,
        {
            "company": name_text(report.company),
            "path": name_text(report.path),
            "contact": {
                "pn": user_shown(who.pn, show_numbers) if who.pn else "",
                "lid": user_shown(who.lid, show_numbers) if who.lid else "",
                "pn_to_lid": who.to_lid,
                "lid_to_pn": who.to_pn,
            },
            "sessions": [
                {
                    "address": address_shown(session.address, show_numbers),
                    "device": session.device,
                    "lid": session.is_lid,
                    "sessions": session.sessions,
                    "written": timestamp(moment_of(session.written_ns)),
                    "read": None if session.used_ms is None else timestamp(_moment(session.used_ms / 1000)),
                    "broken": session.why.value if session.why is not None else None,
                }
                for session in held.sessions
            ],
            "identity_keys": held.identity_keys,
            "listed_devices": held.listed_devices,
            "tokens": held.tokens,
            "sender_keys": held.sender_keys,
            "groups": held.groups,
            "unreadable": {
                "messages": held.unreadable.messages,
                "last": None if last is None else timestamp(_moment(last)),
            },
            "log_troubles": [name_text(trouble) for trouble in report.log_troubles],
        },
    )
