"""Which findings a person is told of, and when: what appears, lasts, gets worse or is over.

Pure: what is remembered of earlier runs, what this run found, and `now` give the alerts that are due and what is to be
remembered. Whoever is woken for nothing stops reading, so the rules are about silence:

- A notice never alerts. What takes patience alerts at the third check in a row that sees it (a lost connection), or at
  the second (a bot that `recover` would first wait for).
- What lasts is told again after the window of its severity, what gets worse at once, what gets milder not at all. What
  somebody may have done on purpose is told ever more seldom: again when it has lasted twice as long, and once a day.
- What is over is told once, if its beginning was, with how long it lasted.
- What comes and goes is told as often as what stays: coming back within the window of the last message is told when
  that window ends, if it is still there then, and its end only if its coming was.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.findings import Finding, Severity

CONNECTION_LOST, BOT_AWAY = "connection-lost", "bot-away"
"""A bot reconnects by itself all the time; only one that stays away is worth a message."""
RECOVERY_DUE = "recovery-due"
"""Patience is for one that may come back by itself: its fact `first_step` is then `wait`."""

MAY_BE_MEANT = frozenset({"folder-gone", "no-companies"})
"""Folders are lost, and folders are removed. Nobody can tell which but the person who is told."""
MOST_SELDOM = timedelta(days=1)

Key = tuple[str, str]
"""A finding's identity from run to run: company and code."""


class AlertRules(NamedTuple):
    """After how long a lasting finding is told again, by severity, and which codes need how many checks in a row."""

    warning: timedelta = timedelta(hours=1)
    critical: timedelta = timedelta(minutes=30)
    emergency: timedelta = timedelta(minutes=15)
    patience: Mapping[str, int] = {CONNECTION_LOST: 3, BOT_AWAY: 3, RECOVERY_DUE: 2}

    def checks_needed(self, finding: Finding) -> int:
        """How many checks in a row have to see a finding before it is told."""
        if finding.code == RECOVERY_DUE and finding.facts.get("first_step") != "wait":
            return 1
        return self.patience.get(finding.code, 1)

    def window(self, severity: Severity) -> timedelta:
        """How long a message of this severity stands before the next one about the same."""
        return {Severity.EMERGENCY: self.emergency, Severity.CRITICAL: self.critical}.get(
            severity, self.warning
        )

    @property
    def longest(self) -> timedelta:
        """The longest of the windows."""
        return max(self.warning, self.critical, self.emergency)


class LookedAt(NamedTuple):
    """What a run looked at: these codes in these companies (None: in all, "" being the host).

    Only what was looked at and not found is over. `unknown` are companies or single keys whose answer did not come:
    a locked folder, a bot that could not be asked.
    """

    codes: frozenset[str]
    companies: frozenset[str] | None = None
    unknown: frozenset[str | Key] = frozenset()

    def covers(self, key: Key) -> bool:
        """Whether this run would have found it."""
        company, code = key
        return (
            code in self.codes
            and (self.companies is None or company in self.companies)
            and company not in self.unknown
            and key not in self.unknown
        )


class AlertState(NamedTuple):
    """What is remembered of one finding between runs.

    `began` is when it was first seen this time and `checks` how often in a row since, counted up to what its code
    needs; 0 means that it is gone. `told` says whether a message was about this time. `sent` is when the last
    message said that it is there, and how bad (`sent_severity`), with which words (`message`). `times` counts its
    comings since it was first told.
    """

    began: datetime
    checks: int
    told: bool = False
    sent: datetime | None = None
    sent_severity: Severity = Severity.NOTICE
    message: str = ""
    times: int = 1


class Why(StrEnum):
    """Why an alert is due, the most urgent first."""

    ESCALATED = "escalated"
    APPEARED = "appeared"
    AGAIN = "again"
    REPEATED = "repeated"
    NEWS = "news"
    """Something that was done, told once: it is no state that could last or be over."""
    OVER = "over"


_URGENCY = {why: number for number, why in enumerate(Why)}


class Alert(NamedTuple):
    """One thing to tell. `severity` of what is over is the one that was told; `lasted` is how long it has been so.

    `path` is where the company's session stands, "" where its name says enough.
    """

    why: Why
    at: datetime
    company: str
    code: str
    severity: Severity
    message: str
    action: str = ""
    facts: Mapping[str, int | float | str] = {}
    lasted: timedelta = timedelta()
    times: int = 1
    path: str = ""

    @classmethod
    def of(
        cls, finding: Finding, why: Why, at: datetime, lasted: timedelta = timedelta(), times: int = 1
    ) -> "Alert":
        """Given a finding, return the alert that tells it."""
        one = finding
        return cls(
            why, at, one.company, one.code, one.severity, one.message, one.action, one.facts, lasted, times
        )


class Decisions(NamedTuple):
    """The alerts that are due, the worst first, and what is to be remembered of every finding."""

    alerts: tuple[Alert, ...]
    states: Mapping[Key, AlertState]


def decide(
    remembered: Mapping[Key, AlertState],
    findings: Iterable[Finding],
    looked_at: LookedAt,
    rules: AlertRules | Callable[[str], AlertRules],
    now: datetime,
) -> Decisions:
    """Given what is remembered and what this run found in what it looked at, return what to tell and to remember.

    Of two findings with one identity the worse one counts. `rules` are those of all companies, or give those of one.
    """
    rules_of = (lambda company: rules) if isinstance(rules, AlertRules) else rules
    present = _present(findings)
    states: dict[Key, AlertState] = {}
    alerts: list[Alert] = []
    after: AlertState | None
    for key in [*present, *(key for key in remembered if key not in present)]:
        state = remembered.get(key)
        finding = present.get(key)
        if finding is not None:
            after, alert = _there(state and _by_this_clock(state, now), finding, rules_of(key[0]), now)
        elif state is not None and looked_at.covers(key):
            after, alert = _gone(_by_this_clock(state, now), key, rules_of(key[0]), now)
        else:
            after, alert = state, None
        if after is not None:
            states[key] = after
        if alert is not None:
            alerts.append(alert)
    return Decisions(tuple(worst_first(alerts)), states)


def news(finding: Finding, now: datetime) -> Alert:
    """Given what was done, as a finding, return the alert that tells it once."""
    return Alert.of(finding, Why.NEWS, now)


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Given alerts, return them the worst and most urgent first, what is over last."""
    return sorted(
        alerts,
        key=lambda alert: (
            alert.why is Why.OVER,
            -alert.severity.rank,
            _URGENCY[alert.why],
            _natural(alert.company),
            alert.code,
        ),
    )


def late(alerts: Iterable[Alert]) -> list[Alert]:
    """Given alerts that could not be sent in their time, return what of them is still worth telling, oldest first.

    A repetition says nothing new, and what is over says how long it lasted, so what began it goes.
    """
    kept: dict[Key, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda one: one.at):
        earlier = kept.setdefault((alert.company, alert.code), [])
        if alert.why is Why.REPEATED and any(one.why not in (Why.NEWS, Why.OVER) for one in earlier[-1:]):
            continue
        if alert.why is Why.OVER:
            while earlier and earlier[-1].why not in (Why.NEWS, Why.OVER):
                earlier.pop()
        earlier.append(alert)
    return sorted((alert for of_key in kept.values() for alert in of_key), key=lambda one: one.at)


def _present(findings: Iterable[Finding]) -> dict[Key, Finding]:
    present: dict[Key, Finding] = {}
    for finding in findings:
        if finding.severity is Severity.NOTICE:
            continue
        key = (finding.company, finding.code)
        if key not in present or finding.severity.rank > present[key].severity.rank:
            present[key] = finding
    return present


def _by_this_clock(state: AlertState, now: datetime) -> AlertState:
    """What lies in the future was written before the clock was set back. It counts from now, or we waited for years."""
    sent = None if state.sent is None else min(state.sent, now)
    return state._replace(began=min(state.began, now), sent=sent)


def _there(
    state: AlertState | None, finding: Finding, rules: AlertRules, now: datetime
) -> tuple[AlertState, Alert | None]:
    needed = rules.checks_needed(finding)
    if state is None:
        state = AlertState(now, 0, times=0)
    if state.checks == 0:
        state = state._replace(began=now, told=False, times=state.times + 1)
    state = state._replace(checks=min(state.checks + 1, needed))
    why = _why(state, finding, rules, now) if state.checks >= needed else None
    if why is None:
        return state, None
    state = state._replace(told=True, sent=now, sent_severity=finding.severity, message=finding.message)
    return state, Alert.of(finding, why, now, now - state.began, state.times)


def _why(state: AlertState, finding: Finding, rules: AlertRules, now: datetime) -> Why | None:
    if state.sent is None:
        return Why.APPEARED
    if finding.severity.rank > state.sent_severity.rank:
        # Worse than the last message said. Milder in between changes nothing: at a limit that would be a storm.
        return Why.ESCALATED if state.told else Why.AGAIN
    window = rules.window(finding.severity)
    if finding.code in MAY_BE_MEANT and state.told:
        window = min(max(window, state.sent - state.began), max(window, MOST_SELDOM))
    if now - state.sent >= window:
        return Why.REPEATED if state.told else Why.AGAIN
    return None


def _gone(
    state: AlertState, key: Key, rules: AlertRules, now: datetime
) -> tuple[AlertState | None, Alert | None]:
    alert = None
    if state.checks and state.told:
        alert = Alert(
            Why.OVER,
            now,
            *key,
            state.sent_severity,
            state.message,
            lasted=now - state.began,
            times=state.times,
        )
    if state.sent is None or (state.checks == 0 and now - state.sent >= rules.longest):
        return None, alert
    return state._replace(checks=0, told=False), alert


def _natural(company: str) -> tuple[int, str]:
    return (len(company), company) if company.isdigit() else (1 << 10, company)
