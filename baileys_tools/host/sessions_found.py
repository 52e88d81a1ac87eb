"""`sessions`: which session folders are found, by which rule, and what is passed by."""

from __future__ import annotations

import os
from collections.abc import Set
from datetime import UTC, datetime
from itertools import islice

from baileys_tools.config import LoadedSettings, require_sessions_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_read
from baileys_tools.host.rules.sessions_found import FoundRoot, FoundSession, Passed, Proposed, SessionsFound
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.writers import Writer, writer_of
from baileys_tools.sessions.search.hints import proposals
from baileys_tools.sessions.search.others import others_in

MOST_NAMES = 20_000
MOST_PASSED = 200


def sessions_command(given: CommandLine) -> ExitCode:
    """Given the command line, say what is found and what is not, and return the exit code."""
    loaded = settings_read(given.flags, given.config)
    now = datetime.now(UTC)
    found = find_sessions(loaded)
    if given.as_json:
        from baileys_tools.frame.show.json_text import envelope
        from baileys_tools.host.show.sessions_text import sessions_json

        print(envelope("sessions", now, found.exit_code, sessions_json(found)))
    else:
        from baileys_tools.host.show.sessions_text import sessions_text

        print(sessions_text(found))
    return found.exit_code


def find_sessions(loaded: LoadedSettings) -> SessionsFound:
    """Look at all roots of the settings, and at what stands beside the session folders. Writes nothing."""
    with Root(require_sessions_path(loaded), keep_lost=True) as root:
        if root.trouble is not None:
            raise root.trouble
        companies = root.companies(loaded.settings.sessions.multitenancy)
        found = [_session(root, company) for company in companies if not root.is_lost(company)]
        roots: list[FoundRoot] = []
        passed: list[Passed] = []
        proposed: list[Proposed] = []
        places = {company.place for company in companies}
        for number, base in enumerate(root.bases):
            here = {company.entry for company in companies if company.base == number and base.fd >= 0}
            roots.append(FoundRoot(base.path, base.spec, base.fd >= 0, len(here), base.why))
            if base.stored is not None:
                passed += [
                    Passed(f"{base.path}#{entry}", why)
                    for where, entry, why in root.passed
                    if where == number
                ]
            elif base.fd >= 0:
                more = proposals(base, places)
                passed += _passed(root, number, here | {entry for one in more for entry in one.entries})
                # Another root can lead to the same folders: they are proposed once.
                places |= {os.path.join(base.real, entry) for one in more for entry in one.entries}
                proposed += [Proposed(number, base.path, one.pattern, one.number) for one in more]
    return SessionsFound(root.path, roots, found, passed, proposed)


def _passed(root: Root, number: int, taken: Set[str]) -> list[Passed]:
    """Return what stands below a root and is none of its session folders, those on the way to one left out."""
    base = root.bases[number]
    said = {} if "." in taken else dict(others_in(base.fd, taken))
    for where, entry, why in root.passed:
        if where == number and not any(
            one == entry or one.startswith(entry + "/") for one in (*said, *taken)
        ):
            said[entry] = why
    return [
        Passed(os.path.normpath(os.path.join(base.path, entry)), what)
        for entry, what in islice(sorted(said.items()), MOST_PASSED)
    ]


def _session(root: Root, company: Company) -> FoundSession:
    writer, trouble = Writer(""), ""
    try:
        with root.open(company) as folder, os.scandir(folder) as entries:
            writer = writer_of([entry.name for entry in islice(entries, MOST_NAMES)])
    except OSError as error:
        trouble = say_why(error)
    return FoundSession(
        company.base,
        company.id,
        company.path,
        company.place,
        _rule(root, company),
        company.linked,
        writer,
        trouble,
    )


def _rule(root: Root, company: Company) -> str:
    if (stored := root.bases[company.base].stored) is not None:
        return stored.told()
    rules = root.rules.get(company.base, {})
    if company.entry in rules:
        return rules[company.entry]
    if company.entry == ".":
        return "a session folder itself"
    return "company_<id>"
