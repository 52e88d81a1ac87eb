"""Alerts: what a run found is compared with what was told before, and one message for all of it goes out.

    with open_state(...) as state:
        outcome = send_alerts(state, settings, findings, now, LookedAt(codes))

Whatever goes wrong here changes neither the result nor the exit code of the command that calls.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.alerts import kept_alerts as memory
from baileys_tools.alerts import last_told
from baileys_tools.alerts.channels.delivery import Channel, deliver
from baileys_tools.alerts.channels_of import ChannelResult, Routes, host_name, say
from baileys_tools.alerts.kept_silences import silences
from baileys_tools.alerts.rules.alerts import (
    Alert,
    AlertRules,
    LookedAt,
    Why,
    decide,
    late,
    news,
    worst_first,
)
from baileys_tools.alerts.rules.message import Message, Sent
from baileys_tools.alerts.rules.silences import spoken as spoken_of
from baileys_tools.alerts.show.alert_text import alert_message, spoken
from baileys_tools.config import Notify, Settings
from baileys_tools.findings import Finding, Severity
from baileys_tools.state.database import State
from baileys_tools.state.places import namesakes
from baileys_tools.units import counted

MOST_FORECASTS = 20
"""Alerts of a run that get a forecast: no message shows more, and each reads a history."""
DOWN_AFTER = timedelta(minutes=10)
DOWN_FOR = timedelta(minutes=5)
"""A channel that has failed for ten minutes is tried every five: one that hangs would hold up each run for 15 s."""
SAY_AGAIN = timedelta(hours=1)
"""How often standard error says that a channel fails: cron mails each line, and this runs every minute."""


class AlertOutcome(NamedTuple):
    """What was told, how that went, and a notice where something could not be delivered."""

    alerts: tuple[Alert, ...] = ()
    channels: tuple[ChannelResult, ...] = ()
    findings: tuple[Finding, ...] = ()


def send_alerts(
    state: State,
    settings: Settings,
    findings: Iterable[Finding],
    now: datetime,
    looked_at: LookedAt,
    *,
    done: Iterable[Finding] = (),
) -> AlertOutcome:
    """Given all that a run found in what it looked at, tell what is due, and what waited from earlier runs.

    `done` is what the run did, told once as it is (a cleanup that was triggered). Never raises, and takes 30 seconds at
    most, most of the time none: nothing is sent when nothing is due, nor of what is silenced.
    """
    try:
        if not settings.tells_anybody:
            return AlertOutcome()
        routes = Routes(settings)
        silent = silences(state, now)
        findings = spoken_of(findings, silent)
        done = spoken_of(done, silent)
        looked_at = looked_at._replace(
            unknown=looked_at.unknown.union(
                (one.company, one.code) if one.code else one.company for one in silent
            )
        )
        told = _decided(
            state, settings, [*findings], now, looked_at, [news(one, now) for one in done], routes
        )
        if not state.is_durable:
            return _without_memory(state, settings, told, now, routes)
        return AlertOutcome(tuple(told), *_sent(state, settings, told, now, routes))
    except Exception as error:  # noqa: BLE001 - the command's own work is done, and its result stands
        say(f"the alerts failed ({type(error).__name__})")
        return AlertOutcome(findings=(_undelivered([ChannelResult("alerts", type(error).__name__)]),))


def rules_of(notify: Notify) -> AlertRules:
    """Given the settings, return how often what lasts is told again."""
    return AlertRules(notify.warning_every, notify.critical_every, notify.emergency_every)


# --- the story of a run -------------------------------------------------------------------------------------


def _decided(
    state: State,
    settings: Settings,
    findings: Sequence[Finding],
    now: datetime,
    looked_at: LookedAt,
    done: Sequence[Alert],
    routes: Routes,
) -> list[Alert]:
    """Decide what to tell, and write down in one step that it is told and that it waits for each channel."""

    def rules(company: str) -> AlertRules:
        own = rules_of(settings.for_company(company).notify)
        # Where nothing can be counted from run to run, nothing can wait for a third check.
        return own if state.is_durable else own._replace(patience={})

    with state.transaction():
        before = memory.remembered(state)
        decisions = decide(before, findings, looked_at, rules, now)
        memory.remember(state, before, decisions.states)
        told = worst_first([*_with_forecasts(state, settings, decisions.alerts, now), *done])
        if told and (paths := namesakes(state)):
            told = [one._replace(path=paths.get(one.company, "")) for one in told]
        if told:
            for name, alerts in _by_channel(told, routes).items():
                memory.put(state, [name], alerts, now)
    return told


def _by_channel(alerts: Iterable[Alert], routes: Routes) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        for name in routes.of(alert.company):
            found.setdefault(name, []).append(alert)
    return found


def _with_forecasts(
    state: State, settings: Settings, alerts: Sequence[Alert], now: datetime
) -> Iterator[Alert]:
    """Yield the alerts, those of full folders with when the next level begins at the growth so far."""
    forecasts = 0
    for alert in alerts:
        files = alert.facts.get("counted_files")
        if alert.code != "file-count" or alert.why is Why.OVER or not isinstance(files, int):
            yield alert
            continue
        forecasts += 1
        words = _forecast(state, settings, alert.company, files, now) if forecasts <= MOST_FORECASTS else ""
        yield alert._replace(facts={**alert.facts, "forecast": words}) if words else alert


def _forecast(state: State, settings: Settings, company: str, files: int, now: datetime) -> str:
    from baileys_tools.sessions.rules.forecast import (
        LOOKED_BACK,
        LOOKED_EVERY,
        Sample,
        growth_per_day,
        next_threshold,
    )
    from baileys_tools.state.observations import counted_since

    thresholds = settings.for_company(company).levels
    seen = counted_since(state, company, now - LOOKED_BACK, LOOKED_EVERY)
    forecast = next_threshold(files, growth_per_day([Sample(*one) for one in seen]), thresholds)
    return forecast.words if forecast is not None else ""


def _without_memory(
    state: State, settings: Settings, told: Sequence[Alert], now: datetime, routes: Routes
) -> AlertOutcome:
    """Tell what is so while nothing can be remembered: not more often than the window of the worst of it, and in
    every run where not even the time of the last message can be kept.

    What is over waits until that can be remembered, or each run would tell it again.
    """
    due = [alert for alert in told if alert.why is not Why.OVER]
    lasting = [alert for alert in due if alert.why is not Why.NEWS]
    time = _is_time(state, lasting, rules_of(settings.notify), now) if lasting else last_told.Due.ONCE
    if not time:
        due = [alert for alert in due if alert.why is Why.NEWS]
    if not due:
        return AlertOutcome()
    by_channel = _by_channel(due, routes)
    channels = [channel for channel in routes.channels if channel.name in by_channel]
    host = host_name(settings.notify)
    note = ""
    if time is last_told.Due.EACH_RUN:
        is_said = any(alert.code == "state-unreadable" for alert in due)
        why = "" if is_said else f": {state.trouble}"
        note = f"every run tells this anew, as nothing of it can be remembered{why}"
    sent = deliver([(one, [alert_message(by_channel[one.name], host, now, note=note)]) for one in channels])
    results = [
        ChannelResult(channel.name, one[0].trouble) for channel, one in zip(channels, sent, strict=True)
    ]
    for result in results:
        if result.trouble:
            say(f"alert not delivered by {result.name}: {result.trouble}")
    return AlertOutcome(tuple(due), tuple(results), _notice(results))


def _is_time(state: State, alerts: Sequence[Alert], rules: AlertRules, now: datetime) -> last_told.Due:
    worst = max((alert.severity for alert in alerts), key=lambda one: one.rank)
    return last_told.is_time(
        state.folder, last_told.alerts_of(state.scope.root), worst.rank, rules.window(worst), now
    )


def _sent(
    state: State, settings: Settings, told: Sequence[Alert], now: datetime, routes: Routes
) -> tuple[tuple[ChannelResult, ...], tuple[Finding, ...]]:
    last_told.prepare(state.folder, last_told.alerts_of(state.scope.root))
    waiting = memory.waiting(state)
    if not waiting:
        return (), ()
    fresh = _by_channel(told, routes)
    memory.forget_other_channels(state, [channel.name for channel in routes.channels])
    outboxes = [
        _Outbox(state, channel, settings, now, has_fresh=channel.name in fresh)
        for channel in routes.channels
        if channel.name in waiting
    ]
    sent = deliver([(box.channel, box.messages) for box in outboxes])
    results = tuple(box.settle(one) for box, one in zip(outboxes, sent, strict=True))
    return results, _notice(results)


class _Outbox:
    """What goes to one channel in this run: what waited from earlier ones as one message, and what is new."""

    def __init__(
        self, state: State, channel: Channel, settings: Settings, now: datetime, *, has_fresh: bool
    ) -> None:
        self.state, self.channel, self.now = state, channel, now
        self.before = memory.channel_state(state, channel.name)
        self.batches: list[list[memory.Waiting]] = []
        self.messages: list[Message] = []
        if self._is_left_alone():
            return
        rows = memory.claim(state, channel.name, now)
        fresh = rows[-1:] if has_fresh else []
        waited = rows[: len(rows) - len(fresh)]
        host = host_name(settings.notify)
        if waited:
            alerts = late(alert for row in waited for alert in row.alerts)
            self.batches.append(waited)
            self.messages.append(alert_message([], host, now, late_by=alerts, dropped=self.before.dropped))
        if fresh:
            self.batches.append(fresh)
            self.messages.append(alert_message(fresh[0].alerts, host, now))

    def _is_left_alone(self) -> bool:
        """Whether the channel is in a pause. One beyond all limits is a clock that moved."""
        from baileys_tools.alerts.channels.answers import LONGEST_RETRY_AFTER

        until = self.before.not_before
        return until is not None and self.now < until <= self.now + LONGEST_RETRY_AFTER

    def settle(self, sent: Sequence[Sent]) -> ChannelResult:
        """Note what became of the messages; what was not delivered waits for the next run."""
        failed = next((one for one in sent if one.trouble), None)
        dropped = 0
        for number, rows in enumerate(self.batches):
            one = sent[number] if number < len(sent) else None
            if one is not None and not one.trouble:
                memory.delivered(self.state, rows)
                continue
            is_refused = one is not None and one.is_refused
            lost = [row for row in rows if is_refused and row.tries + 1 >= memory.MOST_TRIES]
            memory.delivered(self.state, lost)
            dropped += len(lost)
            memory.release(self.state, [row for row in rows if row not in lost], tried=is_refused)
        if not self.messages:
            trouble = "left alone for a while" if self._is_left_alone() else ""
            return ChannelResult(
                self.channel.name, trouble, memory.waiting(self.state).get(self.channel.name, 0)
            )
        return self._remember(failed, dropped)

    def _remember(self, failed: Sent | None, dropped: int) -> ChannelResult:
        name, now = self.channel.name, self.now
        if failed is None:
            memory.keep_channel(self.state, name, memory.ChannelState())
            return ChannelResult(name)
        left = memory.waiting(self.state).get(name, 0)
        said = self.before.said
        if said is None or not timedelta() <= now - said < SAY_AGAIN:
            since = self.before.failing_since
            length = f" (for {spoken(now - since)})" if since is not None and since < now else ""
            what = (
                f"{counted(left, 'message')} wait{'s' if left == 1 else ''} for the next run"
                if left
                else "given up"
            )
            say(f"alert not delivered by {name}{length}: {failed.trouble}; {what}")
            said = now
        since = min(self.before.failing_since or now, now)
        pause = failed.retry_after or (DOWN_FOR if now - since >= DOWN_AFTER else None)
        memory.keep_channel(
            self.state,
            name,
            memory.ChannelState(
                since,
                said,
                now + pause if pause else None,
                self.before.dropped + dropped,
            ),
        )
        return ChannelResult(name, failed.trouble, left)


def _notice(results: Sequence[ChannelResult]) -> tuple[Finding, ...]:
    failing = [result for result in results if result.trouble]
    return (_undelivered(failing),) if failing else ()


def _undelivered(failing: Sequence[ChannelResult]) -> Finding:
    waiting = sum(result.waiting for result in failing)
    return Finding(
        "alerts-undelivered",
        Severity.NOTICE,
        "",
        "alerts could not be delivered: " + ", ".join(f"{one.name} ({one.trouble})" for one in failing),
        "Try the channels: baileys-tools notify test",
        {"channels": len(failing), "waiting": waiting},
    )
