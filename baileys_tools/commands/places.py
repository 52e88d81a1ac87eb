"""What every command asks before it writes anything: does a setting or a flag lead into a session folder?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from baileys_tools.config import LoadedSettings, Settings, load_settings
from baileys_tools.domain.places import (
    Ground,
    Misplaced,
    Target,
    crowded,
    misplaced_file,
    misplaced_folder,
)
from baileys_tools.errors import UsageError

LARGEST_CREDS = 65_536
_LOGIN = b'"noiseKey"'


def settings_in_force(flags: Mapping[str, object], config: str | None) -> LoadedSettings:
    """Given the command line, return the settings. Raise UsageError where one of them would write where it must not."""
    loaded = load_settings(flags, os.environ, config=config)
    require_places(loaded)
    return loaded


def require_places(loaded: LoadedSettings) -> None:
    """Raise UsageError, with everything that is wrong, for settings that would write where they must not."""
    if wrong := misplaced(loaded):
        raise UsageError(
            "\n".join(f"{one.name}: {one.why}{_origin(loaded, one.name)}" for one in wrong),
            "\n".join(dict.fromkeys(one.way_out for one in wrong)),
        )


def misplaced(loaded: LoadedSettings) -> list[Misplaced]:
    """Return every setting that would have this tool write where it must not."""
    settings = loaded.settings
    ground = _ground_of(settings)
    repository = _repository_of(settings)
    state = _folder("state.dir", settings.state.dir)
    found = [misplaced_folder(state, ground, repository)]
    found += [misplaced_folder(one, ground, holds_snapshots=True) for one in repository]
    found += [
        misplaced_folder(one, ground, [*repository, state], holds_snapshots=True)
        for one in _copies_of(settings)
    ]
    found += [
        misplaced_file(_file(name, path), ground, os.path.join(ground.state, own_name) if own_name else "")
        for name, path, own_name in (
            ("monitor.textfile", settings.monitor.textfile, ""),
            ("cron.log", settings.cron.log, "cron.log"),
            ("trigger.lock_file", settings.trigger.lock_file, "trigger.lock"),
        )
        if path is not None
    ]
    return [one for one in found if one is not None]


def unwise(loaded: LoadedSettings) -> list[Misplaced]:
    """Return the settings that do no harm by themselves, and should still be something else."""
    settings = loaded.settings
    folders = [*_repository_of(settings), _folder("state.dir", settings.state.dir)]
    refused = {one.name for one in misplaced(loaded)}
    return [one for one in crowded(_ground_of(settings), folders) if one.name not in refused]


def require_file(settings: Settings, flag: str, path: str, mark: bytes, *, own_name: str = "") -> None:
    """Raise UsageError when a file that a flag names must not be written, or replaced.

    Only an empty file and one that begins with `mark` are replaced. `own_name` is its own place in the state folder.
    """
    from baileys_tools.integrations.own_file import is_foreign

    ground = _ground_of(settings)
    own_place = os.path.join(ground.state, own_name) if own_name else ""
    if one := misplaced_file(_file(flag, path), ground, own_place):
        raise UsageError(f"{one.name}: {one.why}", one.way_out)
    if is_foreign(path, mark):
        raise UsageError(
            f"{flag}: {path} is there already, and not what baileys-tools writes there",
            "Name another file, or move that one away.",
        )


def require_folder(settings: Settings, flag: str, path: str) -> None:
    """Raise UsageError when files must not be written into a folder that a flag names."""
    if one := misplaced_file(_folder(flag, path), _ground_of(settings)):
        raise UsageError(f"{one.name}: {one.why}", "Name a folder of your own.")


def _ground_of(settings: Settings) -> Ground:
    sessions, repository = settings.sessions.path, settings.backup.path
    root = None if sessions is None else os.path.realpath(sessions)
    return Ground(
        root,
        root is not None and _is_session(root, settings.sessions.multitenancy),
        None if repository is None else os.path.realpath(repository),
        os.path.realpath(settings.state.dir),
    )


def _is_session(root: str, multitenancy: bool | None) -> bool:
    """As `Root.companies` finds it."""
    signs = () if multitenancy else ("creds.json", ".baileys-tools/resets")
    return multitenancy is False or any(os.path.lexists(os.path.join(root, sign)) for sign in signs)


def _repository_of(settings: Settings) -> list[Target]:
    return [] if settings.backup.path is None else [_folder("backup.path", settings.backup.path)]


def _copies_of(settings: Settings) -> Iterator[Target]:
    for target in settings.backup.copies:
        if target.startswith("file:"):
            from urllib.parse import urlsplit

            yield _folder("backup.copies", urlsplit(target).path)


def _folder(name: str, path: str) -> Target:
    real = os.path.realpath(path)
    return Target(name, path, [real], _holds_login(real))


def _file(name: str, path: str) -> Target:
    # A file that is replaced lands beside the link that leads to it, one that is appended to where the link leads.
    beside = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(path))
    lands = list(dict.fromkeys([beside, os.path.realpath(path)]))
    return Target(name, path, lands, any(_holds_login(os.path.dirname(one)) for one in lands))


def _holds_login(folder: str) -> bool:
    """Whether a folder is one that a bot logs in with, wherever the sessions path is."""
    try:
        fd = os.open(os.path.join(folder, "creds.json"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _LOGIN in os.read(fd, LARGEST_CREDS)
    except OSError:
        return False
    finally:
        os.close(fd)


def _origin(loaded: LoadedSettings, name: str) -> str:
    origin = loaded.origin[name]
    return "" if origin == "default" else f" ({origin})"
