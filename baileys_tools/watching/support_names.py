"""What may stay in a support bundle, and what is somebody's name on this host."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from typing import Any

from baileys_tools import __version__
from baileys_tools.config import LoadedSettings
from baileys_tools.config.companies import key_in
from baileys_tools.config.kinds import SCHEDULE
from baileys_tools.config.schema import SCHEMA
from baileys_tools.config.section import OF_TEMPLATE
from baileys_tools.finding_codes import CODES
from baileys_tools.host.pages import page, page_names
from baileys_tools.masking import masked
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.watching.rules.unnamed import CUSTOMARY, Unnamed, words_of

LIBRARIES = (
    *("typer", "rich", "filelock", "python-crontab", "httpx", "certifi", "jmespath", "segno"),
    *("markdown-it-py", "pyyaml", "stringzilla", "zstandard", "pyrage", "paramiko", "s3fs"),
    *("psycopg", "redis", "apprise", "starlette", "uvicorn"),
)
"""What this tool uses, extras too: those that are here are told with their versions."""
_SAID = "plausible synchronised refused holder granted torn implausible unpaired inodes reachable unreachable"
"""Words of messages that no page has."""
_PARTS = ("settings", "state", "census", "companies", "incidents", "runs", "doctor", "the rest")
"""The parts of a bundle."""


class Names:
    """How companies are called in the bundle: c1, c2 ... in the order in which they are met."""

    def __init__(self) -> None:
        self.called: dict[str, str] = {}

    def of(self, company: str) -> str:
        return self.called.setdefault(company, f"c{len(self.called) + 1}") if company else ""


def _vocabulary() -> frozenset[str]:
    return words_of(page(name) for name in page_names()) | words_of([_SAID])


def _terms(loaded: LoadedSettings | None) -> frozenset[str]:
    """Return the texts of this tool itself, each of which is shown as it is."""
    from baileys_tools.bots.rules.diagnosis import Cause
    from baileys_tools.bots.rules.log_events import LogEvent
    from baileys_tools.sessions.rules.creds import CredsState

    enums: Iterator[str] = (one.value for words in (Kind, Cause, LogEvent, CredsState) for one in words)
    libraries = [text for found in installed() for text in found]
    schedules = [] if loaded is None else [
        str(SCHEMA.setting(path).show(value))
        for path, value in loaded.values.items()
        if value is not None and SCHEMA.setting(path).kind is SCHEDULE
    ]  # fmt: skip
    return frozenset(
        [*_PARTS, *enums, *CODES, *SCHEMA.settings, *libraries, *schedules, __version__, platform.machine()]
    )


def installed() -> Iterator[tuple[str, str]]:
    """Yield the libraries that are here, each with its version."""
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _known_names(loaded: LoadedSettings | None, names: Names) -> dict[str, str]:
    """Return what is somebody's name, whatever word it is, and what it is called instead."""
    import pwd

    known: dict[str, str] = {}
    for host in {socket.gethostname(), socket.gethostname().partition(".")[0]}:
        known[host] = "<host>"
    with suppress(KeyError):
        known[pwd.getpwuid(os.geteuid()).pw_name] = "<user>"
    known |= {os.environ[name]: "<user>" for name in ("USER", "LOGNAME", "SUDO_USER") if os.environ.get(name)}
    known = {name: called for name, called in known.items() if name not in CUSTOMARY}
    home = os.path.expanduser("~")
    known |= {home: "~"} if len(home) > 1 else {}
    if loaded is not None:
        settings = loaded.settings
        texts = {"notify.host": "<host>", "bot_api.name": "<bot>", "process.pm2": "<bot>"}
        texts |= {"process.systemd": "<bot>"}
        for path, value in loaded.values.items():
            called = texts.get(SCHEMA.setting(path).path, "")
            if path.startswith(OF_TEMPLATE):
                known.setdefault(key_in(path), "<template>")
            if called and isinstance(value, str) and value:
                known[value] = called
        places: list[tuple[str | None, str]] = [
            (settings.sessions.path, "<sessions>"),
            *((root.path, "<sessions>") for root in settings.sessions.roots),
            (settings.state.dir, "<state>"),
            (settings.backup.path, "<repository>"),
            (loaded.config_file, "<settings>"),
        ]
        for place, called in places:
            for spelled in {place, os.path.realpath(place)} if place else ():
                if len(spelled) > 1:
                    known[spelled] = called
        known |= {name: names.of(name) for name in settings.sessions.companies}
    return known | {name: called for name, called in names.called.items() if name not in CUSTOMARY}


_BY_WORD = frozenset({"by_kind", "counts", "log_events"})
"""Fields whose own fields are words that were read from somewhere, and not those of the bundle."""


def hidden(value: Any, hides: Unnamed, field: str = "") -> Any:
    """Return the bundle without a secret, name, number, host or home."""
    if isinstance(value, dict):
        return {
            hides.text(masked(name)) if field in _BY_WORD else name: hidden(item, hides, name)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [hidden(item, hides) for item in value]
    return hides.text(masked(value)) if isinstance(value, str) else value


def hides_for(loaded: LoadedSettings | None, names: Names, ours: frozenset[str]) -> Unnamed:
    """Return what hides the names of this host and its companies. `ours` are texts made by this tool alone."""
    return Unnamed(_vocabulary(), _terms(loaded) | ours, _known_names(loaded, names))
