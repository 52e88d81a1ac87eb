"""The codes of all findings: stable names that alerts, scripts and docs/findings.md rely on.

Whoever adds a finding adds its code here and a section of that name to docs/findings.md; a test holds that the
code, this list and the documentation name the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class CodeInfo(NamedTuple):
    """`worst` is the worst severity that a finding of this code can have; `meaning` says it in one line."""

    worst: str
    meaning: str


NOTICE, WARNING, CRITICAL, EMERGENCY = "notice", "warning", "critical", "emergency"

CODES: Mapping[str, CodeInfo] = {
    # --- creds.json
    "creds-missing": CodeInfo(EMERGENCY, "creds.json is gone, and with it the account's login."),
    "creds-empty": CodeInfo(EMERGENCY, "creds.json has 0 bytes: a write was cut off."),
    "creds-unreadable": CodeInfo(EMERGENCY, "creds.json is no JSON object, or may not be read."),
    "creds-unpaired": CodeInfo(EMERGENCY, "creds.json belongs to no linked device, but the folder to one."),
    "not-linked-yet": CodeInfo(NOTICE, "The folder waits for its first login."),
    # --- how full
    "file-count": CodeInfo(EMERGENCY, "More counted files than a threshold allows."),
    "mostly-lid-mappings": CodeInfo(NOTICE, "Over half of the files are LID mappings, which always stay."),
    # --- keys that miss each other
    "pre-key-last-missing": CodeInfo(
        NOTICE, "The newest pre-key, which Baileys 7 looks for at login, is gone."
    ),
    "pre-keys-gone": CodeInfo(WARNING, "No pre-key is left, though the server hands some out."),
    "memory-without-own-key": CodeInfo(
        WARNING, "A group's sender-key-memory stands without the bot's own sender-key."
    ),
    "own-key-without-memory": CodeInfo(NOTICE, "The bot's own sender-key stands without its memory."),
    "lid-mapping-without-twin": CodeInfo(WARNING, "One of the two files of a LID mapping is missing."),
    "app-state-keys-missing": CodeInfo(WARNING, "App state has versions but no key to read it with."),
    # --- what does not belong there
    "leftover-files": CodeInfo(NOTICE, "Temporary files or copies lie in the session folder."),
    "unknown-files": CodeInfo(NOTICE, "Files that Baileys did not write lie in the session folder."),
    # --- time
    "clock-implausible": CodeInfo(WARNING, "The host's clock does not fit the files."),
    "no-activity": CodeInfo(
        CRITICAL, "The bot has written nothing for weeks; a session dies after about 30 days."
    ),
    # --- what cannot be watched
    "folder-unreadable": CodeInfo(CRITICAL, "A session folder cannot be opened or listed."),
    "no-companies": CodeInfo(EMERGENCY, "No session folder was found at the sessions path."),
    "state-unreadable": CodeInfo(WARNING, "The state database cannot be used; nothing is remembered."),
}
