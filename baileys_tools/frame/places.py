"""What every command asks before it writes anything: does a setting or a flag lead into a session folder?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from baileys_tools.config import LoadedSettings, Settings, load_settings
from baileys_tools.errors import UsageError
from baileys_tools.frame.mounts import Mount, read_mounts, without_binds
from baileys_tools.frame.rules.places import (
    Ground,
    Misplaced,
    Target,
    company_folder_of,
    crowded,
    misplaced_file,
    misplaced_folder,
)
from baileys_tools.layouts import MOST_PARTS, roots_of
from baileys_tools.pasted import came_with
from baileys_tools.sessions.roots import Base, is_session_folder


def settings_in_force(flags: Mapping[str, object], config: str | None) -> LoadedSettings:
    """Given the command line, return the settings. Raise UsageError where one of them would write where it must not."""
    loaded = settings_read(flags, config)
    require_places(loaded)
    return loaded


def settings_read(flags: Mapping[str, object], config: str | None) -> LoadedSettings:
    """As `settings_in_force`, for a command that only looks: where they would write is no matter, or is told."""
    came_with(flags, config)
    return load_settings(flags, os.environ, config=config)


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
    places = _Places(settings)
    ground, repository, copies = places.ground, places.repository, places.copies
    found = [misplaced_folder(places.state, ground, repository)]
    found += [misplaced_folder(one, ground, holds_snapshots=True) for one in repository]
    found += [
        misplaced_folder(one, ground, [*repository, places.state, *copies[:number]], holds_snapshots=True)
        for number, one in enumerate(copies)
    ]
    found += [
        misplaced_file(places.file(name, path), ground, places.own_place(own_name))
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
    places = _Places(loaded.settings)
    refused = {one.name for one in misplaced(loaded)}
    found = crowded(places.ground, [*places.repository, places.state])
    return [one for one in found if one.name not in refused]


def require_file(settings: Settings, flag: str, path: str, mark: bytes, *, own_name: str = "") -> None:
    """Raise UsageError when a file that a flag names must not be written, or replaced.

    Only an empty file and one that begins with `mark` are replaced. `own_name` is its own place in the state folder.
    """
    from baileys_tools.frame.own_file import is_foreign

    places = _Places(settings)
    if one := misplaced_file(places.file(flag, path), places.ground, places.own_place(own_name)):
        raise UsageError(f"{one.name}: {one.why}", one.way_out)
    if is_foreign(path, mark):
        raise UsageError(
            f"{flag}: {path} is there already, and not what baileys-tools writes there",
            "Name another file, or move that one away.",
        )


def require_folder(settings: Settings, flag: str, path: str) -> None:
    """Raise UsageError when files must not be written into a folder that a flag names."""
    places = _Places(settings)
    if one := misplaced_file(places.folder(flag, path), places.ground):
        raise UsageError(f"{one.name}: {one.why}", "Name a folder of your own.")


class _Places:
    """The places that the settings name, each by where it really stands: no link and no bind mount hides it."""

    def __init__(self, settings: Settings) -> None:
        self._mounts: list[Mount] = read_mounts()
        where, path = settings.sessions.where, settings.backup.path
        specs = () if where is None else roots_of(where)
        self._roots = [(os.path.realpath(spec.path), spec) for spec in specs if spec.store is None]
        self.state = self.folder("state.dir", settings.state.dir)
        self.repository = [self.folder("backup.path", path, by_company=True)] if path is not None else []
        self.copies = [
            self.folder("backup.copies", folder, by_company=True) for folder in _copies_of(settings)
        ]
        roots = [
            (
                without_binds(root, self._mounts),
                not (spec.folders or spec.layout) and _is_session(root, settings.sessions.multitenancy),
            )
            for root, spec in self._roots
        ]
        self.ground = Ground(
            roots[0][0] if roots else None,
            bool(roots) and roots[0][1],
            self.repository[0].lands[0] if self.repository else None,
            self.state.lands[0],
            [mounted for root, _ in self._roots for mounted in self._companies_mounted_in(root)],
            [one.lands[0] for one in self.copies],
            roots[1:],
        )

    def own_place(self, name: str) -> str:
        """Return where in the state folder the file of that name belongs, "" for none."""
        return os.path.join(self.ground.state, name) if name else ""

    def folder(self, name: str, path: str, *, by_company: bool = False) -> Target:
        """Return a folder as a target; `by_company`: with the companies' folders in it that are mounts."""
        real = os.path.realpath(path)
        lands = [without_binds(real, self._mounts)]
        if by_company:
            lands += self._companies_mounted_in(real)
        return Target(name, path, lands, _is_session(real) or self._is_below_one(real))

    def file(self, name: str, path: str) -> Target:
        # One that is replaced lands beside the link that leads to it, one that is appended to where the link leads.
        folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
        reals = [os.path.join(folder, os.path.basename(path)), os.path.realpath(path)]
        lands = list(dict.fromkeys(without_binds(real, self._mounts) for real in reals))
        beside = any(
            _is_session(folder) or self._is_below_one(folder) for folder in map(os.path.dirname, reals)
        )
        return Target(name, path, lands, beside)

    def _is_below_one(self, path: str) -> bool:
        """Whether a folder is below one of a session, at whatever depth of a root and by whichever rule that is one."""
        for root, spec in self._roots:
            if not path.startswith(root.rstrip("/") + "/"):
                continue
            parts = path[len(root.rstrip("/")) + 1 :].split("/")[:MOST_PARTS]
            ways = [parts[:end] for end in range(1, len(parts) + 1)]
            if any(_is_session(os.path.join(root, *way)) for way in ways):
                return True
            if spec.folders or spec.layout:
                from baileys_tools.sessions.search.listing import patterns_below

                return any(one.names(way) for one in patterns_below(Base(spec)) for way in ways)
        return False

    def _companies_mounted_in(self, root: str) -> list[str]:
        points = (mount.point for mount in self._mounts if company_folder_of(mount.point, root))
        return [without_binds(point, self._mounts) for point in points]


def _copies_of(settings: Settings) -> Iterator[str]:
    for target in settings.backup.copies:
        if target.startswith("file:"):
            from urllib.parse import urlsplit

            yield urlsplit(target).path


def _is_session(folder: str, multitenancy: bool | None = None) -> bool:
    """Whether a folder is one of a session, wherever the sessions path is; of that, as its listing finds it."""
    if multitenancy is not None:
        return not multitenancy
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return is_session_folder(fd, os.listdir(fd))
    except OSError:
        return False
    finally:
        os.close(fd)


def _origin(loaded: LoadedSettings, name: str) -> str:
    origin = loaded.origin[name]
    return "" if origin == "default" else f" ({origin})"
