"""From what is known of a bot to one cause, with the evidence for it. Pure.

The causes follow `baileys/lib/Types/index.js: DisconnectReason`. The rule above all: 401 alone is never "logged out".
WhatsApp answers 401 for a while and lets the same credentials in again; only `device_removed` and an explicit "Logged
Out" say that they are dead. That the account was paired anew elsewhere does not: an account has several devices.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.bots.rules.log_events import SHOWS_LIFE_WITHIN, LogEvent, LogFacts, is_overruled
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.units import counted, format_age


class Cause(StrEnum):
    """Why a bot is in the state it is in. The values are kept in incidents and printed, so they never change."""

    HEALTHY = "healthy"
    RESTARTING = "restarting"
    """515, or started a moment ago: it will be there soon."""
    NETWORK = "network"
    """408, 428, 503, refused, no name: between the bot and the server."""
    TWO_PROCESSES = "two-processes"
    """440: two processes use one session and push each other out."""
    TEMPORARY_AUTH = "temporary-auth-failure"
    """401 without a word about the device: the same credentials are often let in a little later."""
    LOGGED_OUT = "logged-out"
    """The device was removed. Only a new pairing helps."""
    BANNED = "banned"
    OUTDATED_CLIENT = "outdated-client"
    CREDS_LOST = "creds-lost"
    HUNG = "hung"
    """The process runs and does nothing: no line in the log, no connection."""
    STOPPED = "stopped"
    """The bot's process does not run."""
    NOT_LINKED = "not-linked-yet"
    """Nobody has scanned its first QR code, or that after a reset: it is not away, it has never been there."""
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How much the evidence carries, strongest first."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class BotFacts(NamedTuple):
    """Everything that a diagnosis looks at; the defaults say "not known".

    `connection` is what the bot's API says: "connected", "connecting", "disconnected" or "unknown"; `has_qr` that it
    shows a QR code. `was_linked`: this folder held a linked device at an earlier look. `running` is what
    the process check says, `started` when the process started. `unanswered` is why an API that was asked did not say
    how the bot is, "" where none was asked or it did.
    """

    connection: str = "unknown"
    has_qr: bool | None = None
    creds: CredsState = CredsState.UNKNOWN
    was_linked: bool = False
    running: bool | None = None
    started: datetime | None = None
    restarts: int = 0
    log: LogFacts = LogFacts()
    unanswered: str = ""


class Diagnosis(NamedTuple):
    """One cause, how sure it is, and the sentences that speak for it, the strongest first."""

    cause: Cause
    confidence: Confidence
    evidence: tuple[str, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing has to be done."""
        return self.cause is Cause.HEALTHY


RESTART_TAKES = timedelta(minutes=2)
"""A bot that was asked to restart (515), or was started, is given this long."""
LEAST_SILENCE = timedelta(hours=6)
"""A shorter silence of an open connection is a quiet evening."""
FLAPS = 2
"""So many 440 within two hours, and an open connection is one that was taken back."""

_NETWORK = {
    LogEvent.REFUSED: "the server could not be reached",
    LogEvent.TERMINATED: "the connection was cut (428)",
    LogEvent.LOST: "a ping stayed without an answer (408)",
    LogEvent.TIMED_OUT: "the server did not answer in time (408)",
    LogEvent.UNAVAILABLE: "the server said it was unavailable (503)",
    LogEvent.STREAM_ERROR: "the server ended the stream with an error of its own (500)",
    LogEvent.OTHER: "the connection ended with an error",
}
_REFUSALS = (LogEvent.UNAUTHORIZED, LogEvent.FAILURE)
_ONE_END = timedelta(milliseconds=1_500)
_DECISIVE = (*_NETWORK, *_REFUSALS, LogEvent.REPLACED, LogEvent.RESTART_REQUIRED, LogEvent.QR_ENDED)


def diagnose(facts: BotFacts, now: datetime) -> Diagnosis:
    """Given what is known of a bot, return the one cause that explains it best.

    What only a person can mend goes before what passes; the log's newest word goes before its older ones; what was
    before the connection last opened is over.
    """
    found = _first_of_the_rules(facts, now)
    if facts.unanswered and not found.is_healthy:
        said = f"the bot's API does not say how it is: {facts.unanswered}"
        return found._replace(evidence=(*found.evidence, said))
    return found


def _first_of_the_rules(facts: BotFacts, now: datetime) -> Diagnosis:
    for rule in (
        _logged_out,
        _creds_lost,
        _refused_for_good,
        _two_processes,
        _connected,
        _not_linked,
        _stopped,
        _not_open,
    ):
        if found := rule(facts, now):
            return found
    if not facts.log.shows_connections:
        return _no_word(facts)
    if facts.log.opened is not None and _newest(facts) is None and facts.unanswered:
        said = f"the log says the connection opened {_ago(facts.log.opened, now)}, which a bot that died says, too"
    else:
        said = "nothing that is known explains it"
    return Diagnosis(Cause.UNKNOWN, Confidence.POSSIBLE, (said,))


def _logged_out(facts: BotFacts, now: datetime) -> Diagnosis | None:
    evidence, events = [], []
    for event, said in (
        (LogEvent.DEVICE_REMOVED, "the server said device_removed"),
        (LogEvent.LOGGED_OUT, 'the log says "Logged Out"'),
    ):
        if (at := _since_opened(facts, event)) and not is_overruled(facts.connection, facts.log, at, now):
            evidence.append(_told(facts, event, said, now))
            events.append(event)
    if not evidence:
        return None
    confidence = Confidence.CERTAIN
    if facts.connection == "connected":
        evidence.append("the bot's API says connected, but the log shows no opening after that")
        confidence = Confidence.LIKELY
    return Diagnosis(Cause.LOGGED_OUT, _sure(facts, events, confidence), tuple(evidence))


def _creds_lost(facts: BotFacts, now: datetime) -> Diagnosis | None:
    if facts.creds.is_lost(was_linked=True) and facts.was_linked:
        evidence = [f"{facts.creds.said}, and the account was linked"]
        if facts.connection == "connected":
            evidence.append("the bot is connected: it has its credentials in memory until it stops")
        return Diagnosis(Cause.CREDS_LOST, Confidence.CERTAIN, tuple(evidence))
    if facts.creds.is_lost(was_linked=False):
        return Diagnosis(Cause.CREDS_LOST, Confidence.CERTAIN, (facts.creds.said,))
    at = _since_opened(facts, LogEvent.REGISTERING)
    if at is None or facts.connection == "connected" or not facts.was_linked:
        return None
    if (paired := _since_opened(facts, LogEvent.PAIRED)) and paired > at:
        return None
    evidence = [
        f"a linked account's bot asked for a new registration {_ago(at, now)}: it could not read its credentials"
    ]
    if facts.creds is CredsState.VALID:
        evidence.append("creds.json is whole by now, and the log shows no opening with it")
    return Diagnosis(Cause.CREDS_LOST, Confidence.LIKELY, tuple(evidence))


def _refused_for_good(facts: BotFacts, now: datetime) -> Diagnosis | None:
    for event, cause, said in (
        (LogEvent.FORBIDDEN, Cause.BANNED, "the server refused the account (403)"),
        (LogEvent.OUTDATED, Cause.OUTDATED_CLIENT, "the server refused the client's version (405)"),
    ):
        if (at := _since_opened(facts, event)) and not is_overruled(facts.connection, facts.log, at, now):
            confidence = _sure(facts, [event], Confidence.CERTAIN)
            return Diagnosis(cause, confidence, (_told(facts, event, said, now),))
    return None


def _two_processes(facts: BotFacts, now: datetime) -> Diagnosis | None:
    times = facts.log.lately.get(LogEvent.REPLACED, 0)
    if times >= FLAPS:
        said = f"another connection took the session over {counted(times, 'time')} within two hours (440)"
        own = facts.log.lately.get(LogEvent.SECOND_SOCKET, 0)
        evidence = (
            (said, "one process opened both: the bot's own code has a second socket") if own else (said,)
        )
        return Diagnosis(Cause.TWO_PROCESSES, Confidence.CERTAIN, evidence)
    if _newest(facts) is LogEvent.REPLACED and facts.connection != "connected":
        said = _told(facts, LogEvent.REPLACED, "another connection took the session over (440)", now)
        return Diagnosis(Cause.TWO_PROCESSES, _sure(facts, [LogEvent.REPLACED], Confidence.LIKELY), (said,))
    return None


def _connected(facts: BotFacts, now: datetime) -> Diagnosis | None:
    """An open connection, by the API's word or the log's; and one that is open and dead.

    The log's word counts where nobody else was asked: a bot that is killed leaves no line.
    """
    log = facts.log if facts.log.read and not facts.unanswered else LogFacts()
    open_in_log = log.opened is not None and _newest(facts) is None and facts.running is not False
    if facts.connection == "connected" and not _log_contradicts(facts, now):
        evidence = ["the bot's API says connected"]
        if at := _ended(facts):
            evidence.append(f"the log shows an end {_ago(at, now)}, and no opening after it")
    elif facts.connection == "unknown" and open_in_log and facts.log.opened is not None:
        evidence = [
            f"the log says the connection opened {_ago(facts.log.opened, now)}, and nothing after that"
        ]
    else:
        return None
    if silence := _silence(facts, now):
        return Diagnosis(Cause.HUNG, Confidence.POSSIBLE, (silence, *evidence))
    is_sure = facts.connection == "connected" and _ended(facts) is None
    sure = Confidence.CERTAIN if is_sure else Confidence.LIKELY
    return Diagnosis(Cause.HEALTHY, sure, tuple(evidence))


def _not_linked(facts: BotFacts, now: datetime) -> Diagnosis | None:
    """Whoever asks such a bot to reconnect makes a new QR code under the one that is being scanned."""
    if facts.was_linked or facts.creds not in (CredsState.MISSING, CredsState.UNPAIRED):
        return None
    return Diagnosis(
        Cause.NOT_LINKED,
        Confidence.CERTAIN if facts.has_qr else Confidence.LIKELY,
        (f"{facts.creds.said}, and nothing shows that one ever was",),
    )


def _stopped(facts: BotFacts, now: datetime) -> Diagnosis | None:
    if facts.running is False:
        return Diagnosis(Cause.STOPPED, Confidence.CERTAIN, ("the bot's process does not run",))
    return None


def _not_open(facts: BotFacts, now: datetime) -> Diagnosis | None:
    """No open connection: what the log said last decides."""
    newest = _newest(facts)
    at = facts.log.since_opened[newest] if newest else None
    if facts.started and timedelta() <= now - facts.started <= RESTART_TAKES:
        said = f"the process started {_ago(facts.started, now)}"
        return Diagnosis(Cause.RESTARTING, Confidence.LIKELY, (said,))
    if newest is LogEvent.RESTART_REQUIRED and at is not None and now - at <= RESTART_TAKES:
        said = f"the server asked for a restart {_ago(at, now)} (515)"
        return Diagnosis(Cause.RESTARTING, Confidence.CERTAIN, (said,))
    # A log of errors alone shows what a process met, and not that the next try, or process, was let in.
    is_told = facts.connection != "unknown" or facts.log.shows_connections
    is_old = at is not None and facts.started is not None and facts.started > at
    if newest in _REFUSALS and at is not None and (is_told or not is_old):
        return _refusal(facts, newest, at, now)
    if not is_told:
        return _last_word(facts, newest, at, now)
    if hung := _hung(facts, newest, at, now):
        return hung
    if newest in _NETWORK and at is not None:
        return Diagnosis(Cause.NETWORK, Confidence.LIKELY, (f"{_NETWORK[newest]} {_ago(at, now)}",))
    if facts.connection == "connecting" and not facts.has_qr:
        return Diagnosis(Cause.RESTARTING, Confidence.POSSIBLE, ("the bot's API says it is connecting",))
    return None


def _last_word(
    facts: BotFacts, newest: LogEvent | None, at: datetime | None, now: datetime
) -> Diagnosis | None:
    """What a bot printed of an end, in a log that would not show the next opening: true for as long as a try takes."""
    if newest is None or at is None or now - at > SHOWS_LIFE_WITHIN:
        return None
    if newest is LogEvent.RESTART_REQUIRED:
        said = _told(facts, newest, "the server asked for a restart (515)", now)
        return Diagnosis(Cause.RESTARTING, Confidence.POSSIBLE, (said,))
    if newest in _NETWORK:
        return Diagnosis(Cause.NETWORK, Confidence.POSSIBLE, (_told(facts, newest, _NETWORK[newest], now),))
    return None


def _refusal(facts: BotFacts, newest: LogEvent, at: datetime, now: datetime) -> Diagnosis:
    said = (
        f"the server answered 401 {_ago(at, now)}, without a word of a removed device"
        if newest is LogEvent.UNAUTHORIZED
        else f"the server refused the login {_ago(at, now)}; the log does not have the code"
    )
    evidence = [said]
    if facts.creds is CredsState.VALID:
        evidence.append("creds.json is whole and belongs to a linked device")
    known = newest is LogEvent.UNAUTHORIZED and facts.creds is CredsState.VALID
    confidence = Confidence.LIKELY if known else Confidence.POSSIBLE
    return Diagnosis(Cause.TEMPORARY_AUTH, confidence, tuple(evidence))


def _hung(facts: BotFacts, newest: LogEvent | None, at: datetime | None, now: datetime) -> Diagnosis | None:
    """A live bot tries again, and leaves a line for each try. One that got an HTTP error instead waits for ever."""
    if not facts.log.read or facts.has_qr or facts.connection == "connected":
        return None
    if facts.connection == "unknown" and newest is None and not (facts.running and _attempted(facts)):
        return None
    after = max(filter(None, (at, facts.log.opened, facts.started, _attempted(facts))), default=None)
    if after is None or now - after <= SHOWS_LIFE_WITHIN:
        return None
    evidence = [f"it is not connected, and the log shows no try since {_ago(after, now)}"]
    if facts.running:
        evidence.append("its process runs")
    sure = facts.running is True or facts.connection in ("connecting", "disconnected")
    return Diagnosis(Cause.HUNG, Confidence.LIKELY if sure else Confidence.POSSIBLE, tuple(evidence))


def _no_word(facts: BotFacts) -> Diagnosis:
    """Without a log that shows connections there is the API's word alone."""
    if facts.log.read:
        why = "the log shows no opening and no end of a connection (the bot logs less than info, or in another file)"
        says = "" if facts.connection == "unknown" else f"the bot's API says {facts.connection}, and "
        return Diagnosis(Cause.UNKNOWN, Confidence.POSSIBLE, (says + why,))
    said = {
        "disconnected": "the bot's API says disconnected, and no log is read that could say why (logs in the settings)",
        "connecting": "the bot's API says connecting, and no log is read",
    }.get(facts.connection, "neither the bot's API nor a log says anything")
    return Diagnosis(Cause.UNKNOWN, Confidence.POSSIBLE, (said,))


# --- what the facts say together ----------------------------------------------------------------------------


def _since_opened(facts: BotFacts, event: LogEvent) -> datetime | None:
    return facts.log.since_opened.get(event)


def _newest(facts: BotFacts) -> LogEvent | None:
    """The event that ended the last connection or attempt, None while it is open."""
    ended = [event for event in _DECISIVE if event in facts.log.since_opened]
    # The reason in words beside the bare one: the bot's own line about a refusal has the code. Times are of whole
    # seconds, and the two lines can fall on two.
    return max(
        ended,
        key=lambda event: facts.log.since_opened[event] + _ONE_END * (event is LogEvent.UNAUTHORIZED),
        default=None,
    )


def _attempted(facts: BotFacts) -> datetime | None:
    return facts.log.since_opened.get(LogEvent.ATTEMPTED)


def _ended(facts: BotFacts) -> datetime | None:
    """When the log last showed an end after an opening.

    Openings and ends are of the same level in the log; an error alone may come from a log that shows nothing else.
    """
    return facts.log.since_opened.get(LogEvent.CLOSED) if facts.log.opened is not None else None


def _log_contradicts(facts: BotFacts, now: datetime) -> bool:
    """Whether the log shows an end of a moment ago: then the API's "connected" may be older than that.

    An older end is not the newer word: the opening after it is lost where a log is rotated away, and an app that makes
    a new socket without ending the old one has the end of that (440) after the opening of the new one.
    """
    at = _ended(facts)
    return at is not None and now - at <= SHOWS_LIFE_WITHIN and _newest(facts) is not LogEvent.REPLACED


def _told(facts: BotFacts, event: LogEvent, said: str, now: datetime) -> str:
    at = facts.log.since_opened[event]
    if event in facts.log.unsure:
        return f"{said}, in a line without a time, {_ago(at, now)} or longer"
    return f"{said} {_ago(at, now)}"


def _sure(facts: BotFacts, events: Iterable[LogEvent], confidence: Confidence) -> Confidence:
    """A line without a time may be as old as the log: alone it is no proof."""
    return Confidence.POSSIBLE if facts.log.unsure.issuperset(events) else confidence


def _silence(facts: BotFacts, now: datetime) -> str:
    """Return in words that an open bot has long been silent, "" when it has not."""
    log = facts.log
    if log.last_line is None or log.longest_quiet is None:
        return ""
    limit = max(LEAST_SILENCE, 3 * log.longest_quiet)
    quiet = now - log.last_line
    if quiet <= limit:
        return ""
    return (
        f"the log has been silent for {format_age(quiet)}; in the days before never longer than "
        f"{format_age(log.longest_quiet)}"
    )


def _ago(at: datetime, now: datetime) -> str:
    return f"{format_age(now - at)} ago"
