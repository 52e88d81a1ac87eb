"""The cause of a lost connection: a table of cases, and what holds for every combination of facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.bots.rules.diagnosis import BotFacts, Cause, Confidence, diagnose
from baileys_tools.bots.rules.log_events import LogEvent, LogFacts
from baileys_tools.sessions.rules.creds import CredsState

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
WHOLE, EMPTY, TORN, ABSENT, UNPAIRED = (
    CredsState.VALID,
    CredsState.EMPTY,
    CredsState.UNREADABLE,
    CredsState.MISSING,
    CredsState.UNPAIRED,
)


def ago(**ages: float) -> datetime:
    return NOW - timedelta(**ages)


def log(*events: LogEvent, opened: datetime | None = None, at: datetime | None = None, **more) -> LogFacts:
    """A log that was read: it opened an hour ago, and `events` came a minute ago."""
    since = {event: at or ago(minutes=1) for event in events}
    return LogFacts(True, ago(minutes=1), opened or ago(hours=1), since, **more)


E = LogEvent
CASES = {
    "the API says connected": (BotFacts("connected"), Cause.HEALTHY),
    "the log says open": (BotFacts(log=log()), Cause.HEALTHY),
    "515": (BotFacts("disconnected", log=log(E.RESTART_REQUIRED, E.CLOSED)), Cause.RESTARTING),
    "515 and nothing since": (
        BotFacts("connecting", log=log(E.RESTART_REQUIRED, E.CLOSED, at=ago(minutes=9))),
        Cause.HUNG,
    ),
    "just started": (BotFacts("disconnected", started=ago(seconds=30), log=log(E.LOST)), Cause.RESTARTING),
    "408 ping": (BotFacts("disconnected", log=log(E.LOST, E.CLOSED)), Cause.NETWORK),
    "408 timeout": (BotFacts("disconnected", log=log(E.TIMED_OUT, E.CLOSED)), Cause.NETWORK),
    "428": (BotFacts("disconnected", log=log(E.TERMINATED, E.CLOSED)), Cause.NETWORK),
    "503": (BotFacts("disconnected", log=log(E.UNAVAILABLE, E.CLOSED)), Cause.NETWORK),
    "refused or no name": (BotFacts("disconnected", log=log(E.REFUSED, E.CLOSED)), Cause.NETWORK),
    "500": (BotFacts("disconnected", log=log(E.STREAM_ERROR, E.CLOSED)), Cause.NETWORK),
    "440": (BotFacts("disconnected", log=log(E.REPLACED, E.CLOSED)), Cause.TWO_PROCESSES),
    "440 again and again": (BotFacts("connected", log=log(lately={E.REPLACED: 2})), Cause.TWO_PROCESSES),
    "440 once, long over": (BotFacts("connected", log=log(recent={E.REPLACED: 5})), Cause.HEALTHY),
    "401 alone": (
        BotFacts("disconnected", creds=WHOLE, log=log(E.UNAUTHORIZED, E.CLOSED)),
        Cause.TEMPORARY_AUTH,
    ),
    "a refusal without a code": (
        BotFacts("disconnected", creds=WHOLE, log=log(E.FAILURE, E.CLOSED)),
        Cause.TEMPORARY_AUTH,
    ),
    "401 long ago, the bot gave up": (
        BotFacts("disconnected", creds=WHOLE, log=log(E.UNAUTHORIZED, at=ago(minutes=50))),
        Cause.TEMPORARY_AUTH,
    ),
    "device_removed": (BotFacts("disconnected", creds=WHOLE, log=log(E.DEVICE_REMOVED)), Cause.LOGGED_OUT),
    "Logged Out": (BotFacts("disconnected", log=log(E.LOGGED_OUT, E.CLOSED)), Cause.LOGGED_OUT),
    "device_removed goes before empty creds": (
        BotFacts("disconnected", creds=EMPTY, log=log(E.DEVICE_REMOVED)),
        Cause.LOGGED_OUT,
    ),
    "removed, then paired anew": (BotFacts("connected", log=log()), Cause.HEALTHY),
    "only errors are logged, and it is connected": (
        BotFacts("connected", log=LogFacts(True, NOW, None, {E.DEVICE_REMOVED: ago(days=3)})),
        Cause.HEALTHY,
    ),
    "403": (BotFacts("disconnected", log=log(E.FORBIDDEN, E.FAILURE)), Cause.BANNED),
    "405": (BotFacts("disconnected", log=log(E.OUTDATED, E.FAILURE)), Cause.OUTDATED_CLIENT),
    "creds empty": (BotFacts("disconnected", creds=EMPTY), Cause.CREDS_LOST),
    "creds torn": (BotFacts(creds=TORN), Cause.CREDS_LOST),
    "creds gone of a linked account": (BotFacts(creds=ABSENT, was_linked=True), Cause.CREDS_LOST),
    "a new identity in a linked account's folder": (
        BotFacts(creds=UNPAIRED, was_linked=True),
        Cause.CREDS_LOST,
    ),
    "a linked bot registers": (
        BotFacts("connecting", True, WHOLE, True, log=log(E.REGISTERING)),
        Cause.CREDS_LOST,
    ),
    "creds torn under a connected bot": (
        BotFacts("connected", creds=TORN, was_linked=True),
        Cause.CREDS_LOST,
    ),
    "never linked": (BotFacts("connecting", True, ABSENT), Cause.NOT_LINKED),
    "never linked, and its process is down": (BotFacts(creds=UNPAIRED, running=False), Cause.NOT_LINKED),
    "hung after an HTTP error": (
        BotFacts("connecting", running=True, log=log(E.TERMINATED, E.CLOSED, at=ago(minutes=9))),
        Cause.HUNG,
    ),
    "open but silent": (
        BotFacts(
            "connected",
            log=LogFacts(True, ago(hours=30), ago(days=3), longest_quiet=timedelta(hours=2)),
        ),
        Cause.HUNG,
    ),
    "a quiet night": (
        BotFacts(
            "connected",
            log=LogFacts(True, ago(hours=7), ago(days=3), longest_quiet=timedelta(hours=6)),
        ),
        Cause.HEALTHY,
    ),
    "an old word of the API": (BotFacts("connected", log=log(E.LOST, E.CLOSED)), Cause.NETWORK),
    "an old end in the log": (
        BotFacts("connected", running=True, log=log(E.LOST, E.CLOSED, at=ago(minutes=9))),
        Cause.HEALTHY,
    ),
    "440 of a socket that the same app replaced": (
        BotFacts("connected", log=log(E.REPLACED, E.CLOSED)),
        Cause.HEALTHY,
    ),
    "stopped": (BotFacts("unknown", running=False, log=log(E.TERMINATED)), Cause.STOPPED),
    "disconnected and no log": (BotFacts("disconnected"), Cause.UNKNOWN),
    "nothing is known": (BotFacts(), Cause.UNKNOWN),
    "its last word is an opening, and its API is silent": (
        BotFacts(log=log(), unanswered="no"),
        Cause.UNKNOWN,
    ),
    "so is it, and its process runs": (BotFacts(running=True, log=log(), unanswered="no"), Cause.UNKNOWN),
    "its last word is an opening, and its log is gone": (
        BotFacts(log=log()._replace(read=False)),
        Cause.UNKNOWN,
    ),
    "its API is silent, and its process is down": (
        BotFacts(running=False, log=log(), unanswered="no"),
        Cause.STOPPED,
    ),
    "its process runs, and nothing of Baileys is logged": (
        BotFacts(running=True, started=ago(days=3), log=LogFacts(True, ago(minutes=1))),
        Cause.UNKNOWN,
    ),
    "its process runs, and only errors are logged": (
        BotFacts(
            running=True, started=ago(days=3), log=LogFacts(True, NOW, None, {E.UNAVAILABLE: ago(hours=1)})
        ),
        Cause.UNKNOWN,
    ),
    "only errors are logged, and it was started after a 401": (
        BotFacts(
            running=True, started=ago(hours=1), log=LogFacts(True, NOW, None, {E.UNAUTHORIZED: ago(hours=2)})
        ),
        Cause.UNKNOWN,
    ),
    "only errors are logged, and the last is a 401 of this process": (
        BotFacts(
            running=True, started=ago(hours=3), log=LogFacts(True, NOW, None, {E.UNAUTHORIZED: ago(hours=2)})
        ),
        Cause.TEMPORARY_AUTH,
    ),
    "a process that reached the server and got no further": (
        BotFacts(
            running=True, started=ago(hours=1), log=LogFacts(True, NOW, None, {E.ATTEMPTED: ago(hours=1)})
        ),
        Cause.HUNG,
    ),
}


@pytest.mark.parametrize(("facts", "cause"), CASES.values(), ids=CASES)
def test_each_case_has_its_cause(facts: BotFacts, cause: Cause) -> None:
    found = diagnose(facts, NOW)
    assert found.cause is cause, found


def test_an_older_end_in_the_log_is_told_beside_the_word_of_the_api() -> None:
    found = diagnose(BotFacts("connected", log=log(E.LOST, E.CLOSED, at=ago(minutes=9))), NOW)
    assert found.confidence is Confidence.LIKELY
    assert found.evidence[1] == "the log shows an end 9m ago, and no opening after it"


def test_why_the_api_is_silent_is_told() -> None:
    found = diagnose(BotFacts(log=log(), unanswered="it answered 502"), NOW)
    assert found.evidence == (
        "the log says the connection opened 1.0h ago, which a bot that died says, too",
        "the bot's API does not say how it is: it answered 502",
    )


def test_the_table_has_every_cause() -> None:
    assert {cause for _, cause in CASES.values()} == set(Cause)


moments = st.integers(0, 10**6).map(lambda seconds: NOW - timedelta(seconds=seconds))
logs = st.builds(
    LogFacts,
    st.booleans(),
    st.none() | moments,
    st.none() | moments,
    st.dictionaries(st.sampled_from(LogEvent), moments),
    st.dictionaries(st.sampled_from(LogEvent), st.integers(1, 50)),
    st.none() | st.timedeltas(timedelta(), timedelta(days=2)),
    st.dictionaries(st.sampled_from(LogEvent), st.integers(1, 50)),
)
facts_of_any_kind = st.builds(
    BotFacts,
    st.sampled_from(["connected", "connecting", "disconnected", "unknown"]),
    st.none() | st.booleans(),
    st.sampled_from(CredsState),
    st.booleans(),
    st.none() | st.booleans(),
    st.none() | moments,
    st.integers(0, 9),
    logs,
)


@given(facts_of_any_kind)
def test_there_is_always_one_cause_with_evidence(facts: BotFacts) -> None:
    found = diagnose(facts, NOW)
    assert all(found.evidence) and found.evidence


@given(facts_of_any_kind)
def test_a_bare_401_is_never_logged_out(facts: BotFacts) -> None:
    proof = {LogEvent.DEVICE_REMOVED, LogEvent.LOGGED_OUT} & set(facts.log.since_opened)
    if diagnose(facts, NOW).cause is Cause.LOGGED_OUT:
        assert proof


@given(facts_of_any_kind)
def test_what_the_api_denies_is_not_called_healthy(facts: BotFacts) -> None:
    if facts.connection in ("disconnected", "connecting"):
        assert not diagnose(facts, NOW).is_healthy


@given(facts_of_any_kind)
def test_damaged_creds_of_a_linked_account_are_never_overlooked(facts: BotFacts) -> None:
    if facts.was_linked and facts.creds in (EMPTY, TORN, ABSENT, UNPAIRED):
        assert diagnose(facts, NOW).cause in (Cause.CREDS_LOST, Cause.LOGGED_OUT)


@given(facts_of_any_kind)
def test_creds_are_called_lost_only_with_a_sign_of_it(facts: BotFacts) -> None:
    if diagnose(facts, NOW).cause is Cause.CREDS_LOST:
        assert facts.creds is not WHOLE or LogEvent.REGISTERING in facts.log.since_opened


@given(facts_of_any_kind)
def test_without_any_word_nothing_is_certain(facts: BotFacts) -> None:
    silent = facts._replace(connection="unknown", creds=CredsState.UNKNOWN, running=None, log=LogFacts())
    assert diagnose(silent, NOW).confidence is not Confidence.CERTAIN


@pytest.mark.parametrize(
    ("later", "cause"), [(0, Cause.TEMPORARY_AUTH), (1, Cause.TEMPORARY_AUTH), (2, Cause.NETWORK)]
)
def test_two_lines_of_one_refusal_can_fall_on_two_seconds(later: int, cause: Cause) -> None:
    at = NOW - timedelta(minutes=1)
    ends = {E.UNAUTHORIZED: at, E.OTHER: at + timedelta(seconds=later)}
    facts = BotFacts("disconnected", creds=WHOLE, log=LogFacts(True, NOW, at - timedelta(hours=1), ends))
    assert diagnose(facts, NOW).cause is cause
