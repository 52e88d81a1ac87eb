"""What `config check` finds behind each store of the settings: each is tried, and one session of it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.layouts import SessionsPath, StoreSpec
from baileys_tools.sessions.rules.creds import CredsState, parse_creds, state_of
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.stored.rules.files import Files, as_files
from baileys_tools.sessions.stored.rules.tenants import told_of_twins, twins
from baileys_tools.stores.cells import dangers_of
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.mapping import mapping_of
from baileys_tools.units import counted


class StoreTried(NamedTuple):
    """A store that was tried: what it is and holds, and what is worth a warning."""

    address: str
    lines: Sequence[str]
    warnings: Sequence[str]


def stores_found(settings: Settings) -> list[StoreTried]:
    """Try all stores of the settings, each by itself. Writes nothing."""
    where = settings.sessions.where
    roots = where.roots if isinstance(where, SessionsPath) else ()
    return [_tried(root.store) for root in roots if root.store is not None]


def _tried(spec: StoreSpec) -> StoreTried:
    try:
        store = open_store(spec)
    except (OSError, BaileysToolsError) as error:
        return StoreTried(spec.address, [], [str(error)])
    try:
        server, *warnings = store.said()
        warnings += dangers_of(store)
        tenants = store.tenants()
        lines = [f"{server}, {counted(len(tenants), 'session')}"]
        if lost := store.without_creds():
            warnings.append(f"{counted(lost, 'session')} without creds: those are no logins")
        if told := told_of_twins(twins(tenants)):
            warnings.append(told)
        if tenants:
            files = as_files(store.cells(tenants[0]), mapping_of(spec))
            lines.append(f"read on trial, {tenants[0] or 'the one session'}: {_kinds(files)}")
            warnings += _warnings(files)
        else:
            warnings.append("no session in it: are preset, table and creds those of the bot's program?")
    except (OSError, BaileysToolsError) as error:
        return StoreTried(spec.address, [], [str(error)])
    finally:
        store.close()
    return StoreTried(spec.address, lines, warnings)


def _kinds(files: Files) -> str:
    found = Counter(kind_of(name) for name in files.content)
    return ", ".join(f"{kind} {found[kind]}" for kind in Kind if found[kind]) or "nothing"


def _warnings(files: Files) -> list[str]:
    found = []
    creds = state_of(parse_creds(files.content.get("creds.json", b"")))
    if creds is not CredsState.VALID:
        found.append(f"its creds are {creds.value}: is the codec that of the bot's program?")
    if unread := files.unread():
        found.append(f"{counted(len(unread), 'value')} cannot be read with this codec, such as {unread[0]}")
    if meant := [one for one in files.misfits if one.meant]:
        found.append(
            f"{counted(len(meant), 'row')} filed under half a type, such as {meant[0].row}: no client finds them"
        )
    if others := [one for one in files.misfits if not one.meant]:
        found.append(f"{counted(len(others), 'row')} left alone, such as {others[0].row}: {others[0].why}")
    return found
