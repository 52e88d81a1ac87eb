"""Which steps may bring a bot back, in which order, chosen by why it is away. Pure.

Each step costs more than the one before, and none removes anything: what a repair replaces waits in quarantine.
A session that WhatsApp has ended comes back by no step, so it goes straight to a person and `reset`.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.bots.rules.diagnosis import Cause, Diagnosis
from baileys_tools.pasted import with_commands


class Rung(StrEnum):
    """One step of the ladder. The values are kept in incidents and printed, so they never change."""

    WAIT = "wait"
    RECONNECT = "reconnect"
    RESTART = "restart"
    FROM_BAK = "restore-from-bak"
    RESTORE = "restore"
    PERSON = "person"
    """Nothing that a program may do can help any more."""


LADDERS: dict[Cause, tuple[Rung, ...]] = {
    Cause.HEALTHY: (),
    Cause.RESTARTING: (Rung.WAIT, Rung.RECONNECT, Rung.RESTART),
    Cause.NETWORK: (Rung.WAIT, Rung.RECONNECT, Rung.RESTART),
    Cause.TEMPORARY_AUTH: (Rung.RECONNECT, Rung.RESTART),
    Cause.HUNG: (Rung.RECONNECT, Rung.RESTART),
    Cause.STOPPED: (Rung.RESTART,),
    Cause.CREDS_LOST: (Rung.FROM_BAK, Rung.RESTORE, Rung.RESTART, Rung.RECONNECT),
    Cause.UNKNOWN: (Rung.WAIT, Rung.RECONNECT),
    Cause.NOT_LINKED: (),
    # Each reconnect would push the other process out, which comes back and does the same.
    Cause.TWO_PROCESSES: (),
    Cause.LOGGED_OUT: (),
    Cause.BANNED: (),
    Cause.OUTDATED_CLIENT: (),
}
"""The steps for each cause; all but the first end at a person."""


class Means(NamedTuple):
    """What there is to recover with.

    `can_see`: an API or a log tells whether the bot is back. `can_restart`: a process manager may restart the
    process. `shared_with`: how many other companies' bots live in that process. `has_snapshot`: a whole one is there;
    `lacks_key`: it is encrypted, and no setting names its key.
    `bak` is a whole copy of `creds.json` in the folder of which nothing says that it is of another login, "" for none;
    `bak_is_proven`: something says that it is of the same.
    `stopped`: nothing shows that the bot runs; `unseen`: nor that it does not.
    `can_stop`: its process can be stopped and is nobody else's.
    `has_creds`: whole creds of a linked device stand in its folder. `is_connected`: its API says so.
    """

    can_see: bool = True
    can_reconnect: bool = False
    can_restart: bool = False
    shared_with: int = 0
    has_snapshot: bool = False
    lacks_key: bool = False
    stopped: bool = False
    unseen: bool = False
    can_stop: bool = False
    has_creds: bool = False
    is_connected: bool = False
    bak: str = ""
    bak_is_proven: bool = False


class Step(NamedTuple):
    """One step that would be taken next, and in words why and what it does."""

    rung: Rung
    text: str


class RecoveryLimits(NamedTuple):
    """How patient the steps are, as the settings say, in words for explanations."""

    tries: int = 5
    wait: str = "1m"


def ladder(
    diagnosis: Diagnosis, means: Means, limits: RecoveryLimits, tried: Collection[Rung] = ()
) -> tuple[Step, ...]:
    """Given a diagnosis and the means, return the steps that are left, the cheapest first.

    Empty when the bot is well, else the last one is PERSON. `tried` steps are not taken a second time.
    """
    if diagnosis.is_healthy:
        return ()
    steps = [
        Step(rung, _explained(rung, diagnosis.cause, means, limits))
        for rung in LADDERS[diagnosis.cause]
        if rung not in tried and _is_possible(rung, diagnosis.cause, means, tried)
    ]
    return (*steps, Step(Rung.PERSON, "it needs a person: " + checklist(diagnosis, means, tried)[0]))


def _is_possible(rung: Rung, cause: Cause, means: Means, tried: Collection[Rung]) -> bool:
    if rung is Rung.WAIT:
        return means.can_see
    # Only a long silence of the log outweighs that: one that is open and dead says connected, too.
    if means.is_connected and cause is not Cause.HUNG and rung in (Rung.RECONNECT, Rung.RESTART):
        return False
    # With no creds a bot that connects makes itself a new identity: that a repair was tried is not enough.
    is_repaired = cause is not Cause.CREDS_LOST or (not _REPAIRS.isdisjoint(tried) and means.has_creds)
    if rung is Rung.RECONNECT:
        return means.can_reconnect and is_repaired
    if rung is Rung.RESTART:
        return means.can_restart and is_repaired
    if rung is Rung.FROM_BAK:
        return bool(means.bak) and (means.stopped or means.can_stop)
    if rung is Rung.RESTORE:
        is_back = Rung.FROM_BAK in tried and means.has_creds
        return means.has_snapshot and not is_back and (means.stopped or means.can_stop)
    return True


def _explained(rung: Rung, cause: Cause, means: Means, limits: RecoveryLimits) -> str:
    shared = f", which {means.shared_with} other company(ies) share" if means.shared_with else ""
    stop = "" if means.stopped else "stop the bot's process, "
    start = "" if means.stopped else ", and start it again"
    proven = "which is whole and " + (
        "of the same login" if means.bak_is_proven else "of a login that nothing remembers, so it is unproven"
    )
    key = " (encrypted: this fails without backup.identity_file)" if means.lacks_key else ""
    unseen = "; nothing tells whether the bot runs: stop it first" if means.unseen else ""
    return {
        Rung.WAIT: f"wait up to {limits.wait}: {_WHY_WAIT.get(cause, 'it may come back by itself')}",
        Rung.RECONNECT: f"ask its API to reconnect, up to {limits.tries} times, each time with twice the patience",
        Rung.RESTART: f"restart its process{shared}, and give it {limits.wait}",
        Rung.FROM_BAK: f"{stop}bring creds.json back from {means.bak}, {proven}{start}{unseen}",
        Rung.RESTORE: f"{stop}repair the folder from the newest good snapshot{key}{start}{unseen}",
        Rung.PERSON: "",
    }[rung]


_REPAIRS = frozenset({Rung.FROM_BAK, Rung.RESTORE})
"""Steps that bring creds.json back."""

_WHY_WAIT = {
    Cause.RESTARTING: "it is restarting",
    Cause.NETWORK: "the network or the server may come back",
}

_CHECKLISTS: dict[Cause, tuple[str, ...]] = {
    Cause.LOGGED_OUT: (
        "the device was removed, and this session never comes back",
        "see on the phone (Settings, Linked devices) that it is gone, and who removed it",
        "if it is still listed there, it is not gone: restart the bot, and look again",
        "WhatsApp refuses new devices for hours at times: see that the phone can link another (WhatsApp Web) first",
        "`baileys-tools reset --company {company} --yes` sets the folder aside and shows a new QR code",
        "what is set aside stays until a pairing has succeeded",
    ),
    Cause.BANNED: (
        "WhatsApp refuses the account (403)",
        "open WhatsApp on the phone: it says whether the account is banned, and lets you ask for a review",
        "pair nothing anew and send nothing in bulk before that is settled",
    ),
    Cause.OUTDATED_CLIENT: (
        "WhatsApp refuses this version of the client (405)",
        "update Baileys in the bot, or the version that it sends, and start it again",
    ),
    Cause.TWO_PROCESSES: (
        "two processes use this session and push each other out (440)",
        "find the second one: another host, a container that was left, a PM2 cluster, a developer's laptop",
        "stop it; the other reconnects by itself",
    ),
    Cause.CREDS_LOST: (
        "creds.json is damaged, and the bot must not run while it is repaired",
        "stop the bot, so that it does not write a new identity over it",
        "`baileys-tools restore --company {company} --dry-run`, then without --dry-run; then start the bot",
        "encrypted snapshots take --identity FILE as well, the secret key",
        "without a snapshot: `baileys-tools backup --import DIR --company {company}` takes in an old copy of it",
        "without one either, only `baileys-tools reset --company {company} --yes` is left",
        "WhatsApp refuses new devices for hours at times; what reset sets aside stays until a pairing has succeeded",
    ),
    Cause.NOT_LINKED: (
        "it waits for its first login: start the bot, and scan its QR code",
        "`baileys-tools qr --company {company}` shows the code, where bot_api is set",
    ),
    Cause.STOPPED: (
        "the process does not run",
        "see in its log why it ended, and start it",
    ),
}
_COMMON = (
    "nothing that was tried brought it back",
    "see in the bot's log what it says (`baileys-tools logs --company {company}`)",
    "see that the phone has network and was online within 14 days: WhatsApp unlinks devices otherwise",
    "restart the bot by hand; the folder needs no repair as long as creds.json is whole",
)


_REPAIRED = (
    "its folder is repaired, and the bot does not run yet as far as can be seen",
    "start the bot",
    "`baileys-tools recover --company {company} --dry-run` says what became of it",
)


_FROM_BAK = (
    "is whole: `baileys-tools restore --company {company} --from-bak --dry-run`, then without "
    "--dry-run; then start the bot"
)
_WHOLE_AGAIN = (
    "creds.json is whole again, and the bot has not come back with it as far as can be seen",
    "stop the bot if it runs, so that it does not write a new identity over it, and start it",
    "`baileys-tools recover --company {company} --dry-run` says what became of it",
)


def checklist(
    diagnosis: Diagnosis, means: Means, tried: Collection[Rung], company: str = ""
) -> tuple[str, ...]:
    """Given what is wrong and what was tried, return what a person should do, in order; the first says why."""
    lines = _CHECKLISTS.get(diagnosis.cause, _COMMON)
    if not _REPAIRS.isdisjoint(tried) and diagnosis.cause in (Cause.UNKNOWN, Cause.STOPPED):
        lines = _REPAIRED
    if diagnosis.cause is Cause.CREDS_LOST and means.has_creds:
        lines = _WHOLE_AGAIN
    elif diagnosis.cause is Cause.CREDS_LOST and means.bak:
        lines = (*lines[:2], _FROM_BAK, *lines[2:])
    if lines is _COMMON and not tried and not means.can_see:
        lines = (
            "bot_api or logs in the settings would tell whether it is, the log at level info (docs/recovery.md)",
            *_COMMON[1:],
        )
    elif lines is _COMMON and not tried and not means.can_reconnect and not means.can_restart:
        lines = ("neither bot_api nor process in the settings gives anything to try", *_COMMON[1:])
    elif lines is _COMMON and not tried:
        lines = ("no other step may bring it back", *_COMMON[1:])
    # The name of the copy comes last: it is no part of a command.
    return tuple(
        (f"{means.bak} " if line is _FROM_BAK else "") + with_commands(line, company) for line in lines
    )
