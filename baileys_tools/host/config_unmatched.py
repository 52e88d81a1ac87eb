"""Settings that say something of nothing: patterns that match nothing here, templates that nobody uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from glob import glob

from baileys_tools.config import LoadedSettings
from baileys_tools.config.companies import is_of_one_bot, is_pattern, key_in, own_values
from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE
from baileys_tools.errors import BaileysToolsError
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.units import quoted, some_of


def unmatched(loaded: LoadedSettings) -> list[str]:
    """Return a line for each setting that is about nothing on this host, with where it was given.

    No mistake by itself, as bots come later than settings; but of a slip of the pen nothing else tells.
    """
    return [*_roots(loaded), *_unused(loaded)]


def _roots(loaded: LoadedSettings) -> Iterator[str]:
    where = loaded.settings.sessions.where
    if where is None:
        return
    try:
        with Root(where) as root:
            companies = root.companies(loaded.settings.sessions.multitenancy)
            bases = [(base.path, base.fd >= 0, base.stored is not None) for base in root.bases]
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
