"""What every store can do with its records: list whose there are, read them, change those that are as they were."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.extras import way_to_add
from baileys_tools.stores.rules.rows import Cell, Change, Unit


class StoreTrouble(OSError):
    """A store that cannot be reached, refuses, or hangs. The text says what and the way out, and holds no secret."""

    def __init__(self, why: str) -> None:
        super().__init__(None, why)

    def __str__(self) -> str:
        return self.strerror or ""


class HalfChanged(StoreTrouble):
    """A part of a session has changed and the other perhaps not: the same command completes it."""


LARGEST_VALUE = 16 << 20
"""Bytes of one value, as of a key file."""

LARGEST_SESSION = 256 << 20
"""Characters of all values of a session: as much as a folder may hold to be kept (docs/security.md)."""


MOST_RECORDS = 120_000
TOO_MANY = f"more than {MOST_RECORDS:,} records: no session is that large"
TOO_LARGE = f"a value of over {LARGEST_VALUE >> 20} MiB, or over {LARGEST_SESSION >> 20} MiB: no session is that large"


class StoreLocked(Exception):
    """Another run of this tool holds a session of the store; the text says where. `path` is the file that it has locked
    on this host, "" where the store itself keeps the lock."""

    def __init__(self, where: str, path: str = "") -> None:
        super().__init__(where)
        self.path = path


class Abilities(NamedTuple):
    """What a store can do, as `sessions` and `config check` say it.

    `time`: "exact" where it keeps when a record was last written, "observed" where we have to look ourselves. `atomic`:
    a whole session changes at once. `lock`: how runs on other hosts are kept out.
    """

    time: str
    atomic: bool
    lock: str
    live_probe: str


class Store(Protocol):
    """A store of one address and one layout."""

    address: str
    abilities: Abilities

    def tenants(self, known: dict[str, str] | None = None) -> list[str]:
        """Return whose creds there are, in order. Raises StoreTrouble.

        Where each session has to be asked, `known` is what an earlier listing has found out and becomes what this one
        has: what did not change in between is not asked again.
        """

    def without_creds(self) -> int:
        """Return of how many sessions there are records and no creds. Raises StoreTrouble."""

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """Yield all records of a session at one moment, creds among them. Raises StoreTrouble.

        Where a session has to be searched for, what was found for all of them is gone by: `afresh` searches again.
        """

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """Return what tells one state of a session from another, of those where something does without reading all.

        As long as it stays, no record of the session, nor what the store keeps about it, has changed. Raises
        StoreTrouble.
        """

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """Make changes, each unit only where all its records are as they were; return which were made.

        With `whole`, all units or none, in one transaction: then either all are true or all are false. Raises
        StoreTrouble, after which nothing of the batch at hand was made.
        """

    def locked(self, tenant: str) -> AbstractContextManager[None]:
        """Hold a session against other runs of this tool, on this host or another. Raises StoreLocked, StoreTrouble."""

    def claimed(self, tenant: str) -> AbstractContextManager[None]:
        """Keep the workers of the bot's program away from a session while it moves, where the store has such a thing.

        Never taken from a living one: raises StoreLocked. Raises StoreTrouble.
        """

    def require_held(self, tenant: str) -> None:
        """Raise StoreTrouble where what `locked` or `claimed` holds was lost meanwhile."""

    def owner(self, tenant: str) -> str:
        """Return which worker of the bot's program holds a session, "" where none does or the store cannot tell.

        Raises StoreTrouble.
        """

    def said(self) -> list[str]:
        """Return what the server is, and what this user may not do there, in words. Raises StoreTrouble."""

    def dangers(self) -> list[str]:
        """Return what of the server's settings or files endangers all its sessions, in words. Raises StoreTrouble."""

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """Return when the store will take each of some records by itself: ns since 1970, None for never.

        Raises StoreTrouble.
        """

    def expiring(self, tenant: str) -> int:
        """Return how many records that have to stay a session will lose by a time that the store keeps for them.

        Raises StoreTrouble.
        """

    def close(self) -> None:
        """Give the connection back."""


def dangers_of(store: Store) -> list[str]:
    """Return what endangers all sessions of a store, in words; that it cannot be asked is such a thing."""
    try:
        return store.dangers()
    except OSError as error:
        return [f"what endangers it cannot be asked ({error})"]


def no_driver(server: str, package: str, extra: str) -> BaileysToolsError:
    """Return what is told where the driver of a server is not installed."""
    return BaileysToolsError(
        f"sessions in {server} need {package}, which is not installed",
        f"Add it: {way_to_add(extra)}",
        exit_code=ExitCode.USAGE,
    )
