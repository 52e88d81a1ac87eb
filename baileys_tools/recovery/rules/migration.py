"""What a move of a session takes along and what speaks against it: facts of both places in, a plan with reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.errors import ExitCode
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.keyfiles import Kind, is_companion, kind_of
from baileys_tools.sessions.rules.records import CREDS, Apart, difference, record_of
from baileys_tools.sessions.rules.snapshot import Account, StoredFile


class MigrationStatus(StrEnum):
    """How far a move has come."""

    PLANNED = "planned"
    MOVED = "moved"
    """Copied and proven; the source no longer logs in, unless it was to be left."""


class There(StrEnum):
    """What stands in the target."""

    NOTHING = "nothing"
    THE_SAME = "the-same"
    """All of it, from an earlier run that died after its copy: it goes on from there."""
    OTHER_KEYS = "other-keys"
    OTHER_LOGIN = "other-login"
    A_PART = "a-part"
    """Keys of it without creds, of a store that takes both one after the other: it goes on from there."""
    NO_LOGIN = "no-login"
    """Records without creds."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """What goes along, and what is left behind: names of files with the reason."""

    files: Sequence[StoredFile]
    left: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """A move, planned or done. `refusals` say why not; `run` undoes that the source was set aside."""

    company: str
    source: str
    target: str
    now: datetime
    status: MigrationStatus
    account: Account
    counts: Mapping[Kind, int]
    there: There
    left: Mapping[str, str]
    mended: Sequence[str]
    refusals: Sequence[str]
    source_kept: bool
    digest: str = ""
    run: str = ""
    code: Sequence[str] = ()
    mendable: int = 0
    """Of what is left, rows whose right names are known."""

    @property
    def records(self) -> int:
        """How many files or records go along, creds among them."""
        return sum(self.counts.values())

    @property
    def exit_code(self) -> ExitCode:
        """13 for a plan that would be refused."""
        return ExitCode.REFUSED if self.refusals else ExitCode.DONE


def cargo_of(files: Sequence[StoredFile], mended: Mapping[str, StoredFile], *, into_store: bool) -> Cargo:
    """Given the files of the source and mended records by name, return what goes along.

    A companion stays: beside a key that comes and goes it would bring an older state of it back. Into a store go
    records of Baileys alone, and into a folder what else stands beside them as well.
    """
    found = {file.entry.name: file for file in files}
    found |= {name: file for name, file in mended.items() if name not in found}
    left = {}
    for name in sorted(found):
        if is_companion(name):
            left[name] = "an older state of its key"
        elif into_store and name != CREDS and record_of(name) is None:
            left[name] = "no record of Baileys" if kind_of(name) is Kind.UNKNOWN else "not kept in stores"
    return Cargo([file for name, file in found.items() if name not in left], left)


def what_is_there(
    wanted: Mapping[str, str],
    there: Mapping[str, str],
    mine: Account,
    theirs: Account | None,
    *,
    is_atomic: bool,
) -> There:
    """Given what cargo and target mean by file, and whose both are, return what stands in the target."""
    if not there:
        return There.NOTHING
    if theirs is None:
        is_a_part = not is_atomic and CREDS not in there and there.items() <= wanted.items()
        return There.A_PART if is_a_part else There.NO_LOGIN
    if theirs.identity != mine.identity:
        return There.OTHER_LOGIN
    return There.OTHER_KEYS if difference(wanted, there) else There.THE_SAME


REFUSALS = {
    There.OTHER_LOGIN: "another login stands there",
    There.OTHER_KEYS: "this login stands there already, with other keys: nobody can tell which is the newer",
    There.NO_LOGIN: "records without creds stand there, as a move leaves them",
}


def way_out(report: MigrationReport, *, is_store: bool) -> str:
    """Given a move that is refused, return what to do."""
    if report.there is not There.NO_LOGIN or report.refusals != [REFUSALS[There.NO_LOGIN]]:
        return "Stop the bot and wait two minutes: a store without times is looked at twice. Nothing was changed."
    if is_store:
        return "Nothing logs in with them: remove the rows of this session there. Nothing was changed."
    around, _, name = report.target.rpartition("/")
    aside = command("mv {} {}", report.target, f"{around}/.{name}.old")
    return f"Nothing logs in with them. Out of the way with them: {aside}\nNothing was changed."


def proof_failed(source: Apart, target: Apart) -> str:
    """Given what tells the source from itself before, and the target from the source, return what is wrong, "" for
    nothing."""
    told = []
    for what, apart in (("the source moved meanwhile", source), ("the copy is not the source", target)):
        parts = [
            f"{len(names)} {word} ({names[0]})"
            for word, names in (
                ("missing", apart.missing),
                ("too many", apart.added),
                ("of another content", apart.altered),
            )
            if names
        ]
        if parts:
            told.append(f"{what}: {', '.join(parts)}")
    return "; ".join(told)


FOLDER = "a folder"
CODE = {
    FOLDER: ("useMultiFileAuthState(FOLDER)", "import { useMultiFileAuthState } from 'baileys'"),
    "ai-admin": (
        "useTimewebAuthState(COMPANY_ID)",
        "USE_DATABASE_AUTH_STATE=true in the program's environment",
    ),
    "baileys-sqlite": ("useSqliteAuthState(FILE)", "in the Baileys that has it"),
    "postgres-baileys": ("usePostgreSQLAuthState(config, SESSION)", "import from 'postgres-baileys'"),
    "keyv": (
        "makeKeyvAuthState(new Keyv({ store }), SESSION)",
        "import from '@rodrigogs/baileys-store' and 'keyv', no namespace; store: '@keyv/postgres', '@keyv/redis'",
    ),
    "prisma-session": ("useSession(SESSION)", "import from '@ookamiiixd/baileys-store'"),
    "ticketz": ("authState(whatsapp)", 'the row of "Whatsapps" with this id'),
    "baileys-redis-auth": (
        "useRedisAuthStateWithHSet(redis, SESSION)",
        "import from hbinduni/baileys-redis-auth",
    ),
    "baileys-redis-auth-keys": (
        "useRedisAuthState(redis, SESSION)",
        "import from hbinduni/baileys-redis-auth",
    ),
    "fazer": ("the connection of this phone number", "nothing in the code; start it through its API"),
    "evolution": ("CACHE_REDIS_SAVE_INSTANCES=true", "and the instance of this id in its database"),
    "evolution-mixed": (
        "DATABASE_SAVE_DATA_INSTANCE=true, CACHE_REDIS_ENABLED=true, CACHE_REDIS_SAVE_INSTANCES=false",
        "and the instance of this id in its database",
    ),
    "unoapi": ("the session of this phone number", "nothing in the code"),
}
"""By preset, or for a folder: what the bot's code says for its auth state, and where that is from."""


def code_to_change(preset: str, target: str) -> list[str]:
    """Return in words what the bot's code has to say from now on."""
    if preset not in CODE:
        return [f"have the bot's auth state read {target}, which a mapping of your own describes"]
    call, note = CODE[preset]
    return [f"auth state: {call}", note]
