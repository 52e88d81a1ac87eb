"""Settings that change nothing: patterns that match nothing here, templates that nobody uses, rules that never bite."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from glob import glob

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.config.companies import is_of_one_bot, is_pattern, key_in, own_values
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE
from baileys_tools.errors import BaileysToolsError
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.patterns import stars_not_there
from baileys_tools.sessions.search.listing import patterns_below
from baileys_tools.units import format_duration, quoted, some_of


def unmatched(loaded: LoadedSettings) -> list[str]:
    """Return a line for each setting that changes nothing on this host, with where it was given.

    No mistake by itself, as bots come later than settings; but of a slip of the pen nothing else tells.
    """
    return [*_roots(loaded), *_unused(loaded), *_idle(loaded)]


def _roots(loaded: LoadedSettings) -> Iterator[str]:
    where = loaded.settings.sessions.where
    if where is None:
        return
    try:
        with Root(where) as root:
            companies = root.companies(loaded.settings.sessions.multitenancy)
            # Of a store `config check` says by itself what is wrong.
            bases = [(base.path, base.fd >= 0, base.spec.store is not None) for base in root.bases]
            patterns = [(base.path, patterns_below(base)) for base in root.bases if base.has_patterns]
    except BaileysToolsError as error:
        yield error.message
        return
    for number, (path, is_there, is_stored) in enumerate(bases):
        if is_stored:
            continue
        if not is_there:
            yield f"the sessions path {path} is not there"
        elif not any(one.base == number for one in companies):
            yield f"no session folder matches at {path}"
    for path, of_root in patterns:
        for star in stars_not_there(of_root):
            where = loaded.origin.get("sessions.roots", "default")
            yield f"sessions.roots: name: {star} means nothing, as no pattern at {path} has that star ({where})"
    yield from _companies(loaded, companies)
    yield from _logs(loaded, companies)


def _companies(loaded: LoadedSettings, companies: list[Company]) -> Iterator[str]:
    ids = [one.id for one in companies]
    names = [*ids, *(one.name for one in companies if one.name)]
    own = own_values(loaded.values)
    first = {key_in(path): path for path in reversed(list(loaded.values)) if path.startswith(OF_COMPANY)}
    for key, path in sorted(first.items()):
        is_met = any(fnmatchcase(one, key) for one in names) if is_pattern(key) else key in names
        where = f"({loaded.origin.get(path, 'default')})"
        if ids and not is_met:
            what = "no company here matches" if is_pattern(key) else "there is no such company here"
            yield f"companies.{key}: {what} {where}"
        of_one = sorted({one.partition(".")[0] for one in own[key] if is_of_one_bot(one)})
        if of_one and (same := [one.id for one in companies if one.name == key]):
            yield f"companies.{key}: {', '.join(of_one)}: in force for none of {some_of(same)}; name one {where}"


def _logs(loaded: LoadedSettings, companies: list[Company]) -> Iterator[str]:
    for file in loaded.settings.logs.files:
        if file.source or file.company or not companies:
            continue
        paths = [path for one in companies if (path := file.path_of(one.id)) is not None]
        if paths and not any(os.path.lexists(path) or glob(path) for path in paths):
            yield f"logs.files: no file matches {file.path} ({loaded.origin.get('logs.files', 'default')})"


def _unused(loaded: LoadedSettings) -> Iterator[str]:
    used = {name for path, names in loaded.values.items() if path.endswith(f".{USE}") for name in names}
    first = {key_in(path): path for path in reversed(list(loaded.values)) if path.startswith(OF_TEMPLATE)}
    for name, path in sorted(first.items()):
        if name not in used:
            where = loaded.origin.get(path, "default")
            yield f"templates.{name}: no company uses the template {quoted(name)} ({where})"


def _idle(loaded: LoadedSettings) -> Iterator[str]:
    """Gentle rules that keep nothing, as what is in force beside them is gentler, or stronger."""
    yield from _idle_rules(loaded, loaded.settings, "", {})
    for key, there in own_values(loaded.values).items():
        yield from _idle_rules(loaded, loaded.settings.for_company(key), f"{OF_COMPANY}{key}.", there)


def _idle_rules(
    loaded: LoadedSettings, settings: Settings, prefix: str, there: Mapping[str, str]
) -> Iterator[str]:
    def told(path: str, beside: str, what: str) -> Iterator[str]:
        if not prefix or path in there or beside in there:
            yield f"{prefix}{path}: {what} ({loaded.origin.get(there.get(path, path), 'default')})"

    limits, gentle, danger = settings.policy.normal, settings.policy.gentle, settings.levels.danger
    if gentle.active_group is not None and gentle.active_group <= limits.sender_key_max_age:
        shown, limit = map(format_duration, (gentle.active_group, limits.sender_key_max_age))
        path, beside = "cleanup.active_group", "cleanup.sender_key_max_age"
        yield from told(path, beside, f"{shown} keeps nothing, as {beside} is {limit} everywhere")
    if gentle.until is not None and gentle.until >= danger and not settings.thresholds.learn:
        path, beside = "cleanup.until", "thresholds.danger"
        yield from told(
            path, beside, f"{gentle.until} is not below {beside}, which is {danger}: there it steps back"
        )
