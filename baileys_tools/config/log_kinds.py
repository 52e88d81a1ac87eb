"""The kind of value that `logs.files` has: which bot writes into which file, journal, container or process of PM2."""

import re
from typing import NamedTuple

from baileys_tools.config.kinds import Absolute, ValueKind, _read_path, _text, valid_company_id
from baileys_tools.units import did_you_mean, quoted

COMPANY = "{company}"
SOURCES = ("journal", "docker", "pm2")
_KEYS = ("path", *SOURCES, "directory", "company", "session")
_NAMES = {
    # What begins with - would be an option, and * means other units.
    "journal": (r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,250}", "the name of a systemd unit"),
    "docker": (r"[A-Za-z0-9][A-Za-z0-9_.-]{0,250}", "the name of a container"),
    "pm2": (r"[^\x00-\x1f\x7f]{1,200}", "the name of a process of PM2"),
}

_A_KEY = r"[\w.@-]{1,60}"


class LogFile(NamedTuple):
    """Where a bot's log is; `path` is absolute, `company` "" where `{company}` stands in it.

    With a `source` (`journal`, `docker`, `pm2`), `path` is the name of the unit, the container or the process;
    `directory` is where the journal's files are, "" for this host's own.

    `session` says whose a line is in a log that several share: the key of a record, or a pattern with one group. With
    it and without a company, the log is that of every company that its lines name.
    """

    path: str
    company: str = ""
    session: str = ""
    source: str = ""
    directory: str = ""

    @property
    def label(self) -> str:
        """What it is called: its path, or source and name."""
        return f"{self.source}:{self.path}" if self.source else self.path

    def has_valid_name(self) -> bool:
        """Whether what stands for `{company}` left a name that its program takes for nothing else."""
        return not self.source or re.fullmatch(_NAMES[self.source][0], self.path) is not None

    @property
    def is_shared(self) -> bool:
        """Whether the lines alone say whose they are."""
        return bool(self.session) and not self.company and COMPANY not in self.path

    @property
    def rule(self) -> str | re.Pattern[str]:
        """What says whose a line is, "" where nothing was given."""
        return (
            re.compile(self.session)
            if self.session and not re.fullmatch(_A_KEY, self.session)
            else self.session
        )

    def path_of(self, company: str) -> str | None:
        """Given a company's id, return the path of its log, None when this is the log of others."""
        if self.company:
            return self.path.replace(COMPANY, company) if self.company == company else None
        return self.path.replace(COMPANY, company)


def _read_log_files(raw: object, absolute: Absolute) -> tuple[LogFile, ...]:
    if isinstance(raw, dict):
        raw = [raw]
    items = raw if isinstance(raw, list | tuple) else [part.strip() for part in str(raw).split(",")]
    files = tuple(dict.fromkeys(_log_file(item, absolute) for item in items))
    _require_one_company_each(files)
    return files


def _require_one_company_each(files: tuple[LogFile, ...]) -> None:
    """Raise ValueError for a log of two companies: no line says whose it is, so each would be told the other's."""
    companies: dict[str, list[str]] = {}
    for file in files:
        if file.company and not file.session:
            companies.setdefault(file.label.replace(COMPANY, file.company), []).append(file.company)
    shared = {path: names for path, names in companies.items() if len(names) > 1}
    if shared:
        told = (f"{quoted(path)} is the log of {' and of '.join(names)}" for path, names in shared.items())
        raise ValueError(
            f"{'; '.join(told)}. Give each company a log of its own, or say with session whose a line is"
        )


def _log_file(item: object, absolute: Absolute) -> LogFile:
    if isinstance(item, LogFile):
        return item
    if isinstance(item, dict):
        if unknown := [str(key) for key in item if key not in _KEYS]:
            known = ", ".join(_KEYS)
            raise ValueError(
                f"unknown key {quoted(unknown[0])}, the keys are {known}{did_you_mean(unknown[0], _KEYS)}"
            )
        given = [key for key in ("path", *SOURCES) if item.get(key) is not None]
        if len(given) > 1:
            raise ValueError(f"a log has one of path, {', '.join(SOURCES)}, and not {' and '.join(given)}")
        source = given[0] if given else "path"
        path, company, session = item.get(source), item.get("company"), item.get("session")
        directory = item.get("directory")
        if directory is not None and source != "journal":
            raise ValueError("directory is for a journal alone")
    else:
        before, equals, after = _text(item, "a log").partition("=")
        # A path may have = in it; what stands before the first one is then no single name.
        path, company = (after, before) if equals and "/" not in before else (before + equals + after, None)
        session = directory = None
        named, colon, name = path.partition(":")
        source = named if colon and named in SOURCES else "path"
        path = path if source == "path" else name
    if path is None:
        raise ValueError(f"a log without a path, {', '.join(SOURCES[:-1])} or {SOURCES[-1]}")
    file = LogFile(
        _read_path(path, absolute) if source == "path" else _name_in(source, path),
        "" if company is None else valid_company_id(_text(company, "a company id")),
        "" if session is None else _session(_text(session, "session")),
        "" if source == "path" else source,
        "" if directory is None else _read_path(directory, absolute),
    )
    if not file.company and not file.session and COMPANY not in file.path:
        raise ValueError(
            f"whose log is {quoted(file.label)}? Give its company, put {COMPANY} into the "
            f"{'name' if file.source else 'path'}, or give session, the "
            "key under which each line names its session"
        )
    return file


def _name_in(source: str, raw: object) -> str:
    """Return the name of a unit, a container or a process. Raise ValueError for what can be none."""
    text = _text(raw, f"a name for {source}").strip()
    shape, what = _NAMES[source]
    if re.fullmatch(shape, text.replace(COMPANY, "x")) is None:
        raise ValueError(f"{quoted(text)} is not {what}")
    return text


def _session(text: str) -> str:
    """Return what says whose a line is. Raise ValueError for a pattern that names nobody."""
    if re.fullmatch(_A_KEY, text):
        return text
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"invalid session pattern {quoted(text)}: {error}") from None
    if groups != 1:
        raise ValueError(
            f"session {quoted(text)} has {groups} groups; a pattern has one, which holds the name"
        )
    return text


def _show_log_files(files: tuple[LogFile, ...]) -> str:
    return ", ".join(
        (f"{file.company}={file.label}" if file.company else file.label)
        + (f" (session: {file.session})" if file.session else "")
        for file in files
    )


LOG_FILES = ValueKind(_read_log_files, _show_log_files)
