"""Alerts: what a run found is compared with what was told before, and one message for all of it goes out.

    with open_state(...) as state:
        outcome = send_alerts(state, settings, findings, now, LookedAt(codes))

Whatever goes wrong here changes neither the result nor the exit code of the command that calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from baileys_tools.config import Notify, Settings, load_settings
from baileys_tools.domain.alerts import Alert, AlertRules, LookedAt, Why, decide, late, news, worst_first
from baileys_tools.domain.findings import Finding, Severity
from baileys_tools.domain.message import Message, Sent
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.integrations.notify.delivery import ALERT_SECONDS, RUN_SECONDS, Channel, deliver
from baileys_tools.output.alert_text import alert_message, spoken
from baileys_tools.state import alerts as memory
from baileys_tools.state import last_told
from baileys_tools.state.database import State
from baileys_tools.units import counted

MOST_FORECASTS = 20
"""Alerts of a run that get a forecast: no message shows more, and each reads a history."""
SAY_AGAIN = timedelta(hours=1)
"""How often standard error says that a channel fails: cron mails each line, and this runs every minute."""


class ChannelResult(NamedTuple):
    """What became of a run's messages at one channel. `waiting` counts the messages that wait for the next run."""

    name: str
    trouble: str = ""
    waiting: int = 0


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
    most, most of the time none: nothing is sent when nothing is due.
    """
    try:
        channels = channels_of(settings.notify)
        if not channels:
            return AlertOutcome()
        told = _decided(
            state, settings, [*findings], now, looked_at, [news(one, now) for one in done], channels
        )
        if not state.is_durable:
            return _without_memory(state, settings, told, now, channels)
        return AlertOutcome(tuple(told), *_sent(state, settings, told, now, channels))
    except Exception as error:  # noqa: BLE001 - the command's own work is done, and its result stands
        _say(f"the alerts failed ({type(error).__name__})")
        return AlertOutcome(findings=(_undelivered([ChannelResult("alerts", type(error).__name__)]),))


def rules_of(notify: Notify) -> AlertRules:
    """Given the settings, return how often what lasts is told again."""
    return AlertRules(notify.warning_every, notify.critical_every, notify.emergency_every)


def channels_of(notify: Notify) -> list[Channel]:
    """Given the settings, return the channels that are configured. Their names hold no secret."""
    from baileys_tools.integrations.notify.apprise_service import send_by_apprise
    from baileys_tools.integrations.notify.telegram import send_telegram
    from baileys_tools.integrations.notify.webhook import send_webhook

    channels = []
    if notify.webhook is not None:
        channels.append(Channel("webhook", partial(send_webhook, notify.webhook.reveal())))
    if notify.telegram_bot_token is not None and notify.telegram_chat_id is not None:
        token, chat = notify.telegram_bot_token.reveal(), notify.telegram_chat_id.reveal()
        channels.append(Channel("telegram", partial(send_telegram, notify.telegram_api, token, chat)))
    for number, url in enumerate(notify.urls, start=1):
        # The scheme alone: all else of such an address can be a password.
        name = f"apprise {number} ({url.reveal().partition('://')[0][:20]})"
        channels.append(Channel(name, partial(send_by_apprise, url.reveal())))
    return channels


def notify_warnings(notify: Notify) -> list[str]:
    """Given the settings, return what about the channels cannot be meant, for `config check`."""
    warnings = []
    pair = {"telegram_bot_token": notify.telegram_bot_token, "telegram_chat_id": notify.telegram_chat_id}
    missing = [key for key, value in pair.items() if value is None]
    if len(missing) == 1:
        (given,) = pair.keys() - {*missing}
        warnings.append(f"notify.{given} is given but notify.{missing[0]} is not: nothing goes to Telegram")
    if notify.urls:
        from importlib.util import find_spec

        if find_spec("apprise") is None:
            warnings.append("notify.urls needs Apprise: pip install 'baileys-tools[apprise]'")
    for key, value in (("webhook", notify.webhook), ("telegram_api", notify.telegram_api)):
        text = value if isinstance(value, str) else value.reveal() if value is not None else ""
        if text.startswith("http://") and not _is_here(text):
            warnings.append(f"notify.{key} is not encrypted on its way (http://): use https://")
    return warnings


def _is_here(url: str) -> bool:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")


def host_name(notify: Notify) -> str:
    """Return what alerts call this host."""
    return notify.host or os.uname().nodename


# --- the story of a run -------------------------------------------------------------------------------------


def _decided(
    state: State,
    settings: Settings,
    findings: Sequence[Finding],
    now: datetime,
    looked_at: LookedAt,
    done: Sequence[Alert],
    channels: Sequence[Channel],
) -> list[Alert]:
    """Decide what to tell, and write down in one step that it is told and that it waits for each channel."""
    rules = rules_of(settings.notify)
    if not state.is_durable:
        # Nothing can be counted from run to run, so nothing can wait for a third check.
        rules = rules._replace(patience={})
    with state.transaction():
        before = memory.remembered(state)
        decisions = decide(before, findings, looked_at, rules, now)
        memory.remember(state, before, decisions.states)
        told = worst_first([*_with_forecasts(state, settings, decisions.alerts, now), *done])
        if told:
            memory.put(state, [channel.name for channel in channels], told, now)
    return told


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
    from baileys_tools.domain.forecast import (
        LOOKED_BACK,
        LOOKED_EVERY,
        Sample,
        growth_per_day,
        next_threshold,
    )
    from baileys_tools.domain.thresholds import Thresholds
    from baileys_tools.state.observations import counted_since

    levels = settings.thresholds
    thresholds = Thresholds(levels.warning, levels.critical, levels.trigger, levels.emergency, levels.danger)
    seen = counted_since(state, company, now - LOOKED_BACK, LOOKED_EVERY)
    forecast = next_threshold(files, growth_per_day([Sample(*one) for one in seen]), thresholds)
    return forecast.words if forecast is not None else ""


def _without_memory(
    state: State, settings: Settings, told: Sequence[Alert], now: datetime, channels: Sequence[Channel]
) -> AlertOutcome:
    """Tell what is so while nothing can be remembered: not more often than the window of the worst of it.

    What is over waits until that can be remembered, or each run would tell it again.
    """
    due = [alert for alert in told if alert.why is not Why.OVER]
    lasting = [alert for alert in due if alert.why is not Why.NEWS]
    if lasting and not _is_time(state.folder, lasting, rules_of(settings.notify), now):
        due = [alert for alert in due if alert.why is Why.NEWS]
    if not due:
        return AlertOutcome()
    message = alert_message(due, host_name(settings.notify), now)
    sent = deliver([(channel, [message]) for channel in channels])
    results = [
        ChannelResult(channel.name, one[0].trouble) for channel, one in zip(channels, sent, strict=True)
    ]
    for result in results:
        if result.trouble:
            _say(f"alert not delivered by {result.name}: {result.trouble}")
    return AlertOutcome(tuple(due), tuple(results), _notice(results))


def _is_time(folder: str, alerts: Sequence[Alert], rules: AlertRules, now: datetime) -> bool:
    worst = max((alert.severity for alert in alerts), key=lambda one: one.rank)
    window = rules.window(worst)
    mark = last_told.last(folder)
    if mark is not None and timedelta() <= now - mark.at < window and worst.rank <= mark.rank:
        return False
    if last_told.mark(folder, now, worst.rank):
        return True
    # Not even a time stamp: the first minute of each window, by the clock alone.
    minutes = max(1, window // timedelta(minutes=1))
    return int(now.timestamp()) // 60 % minutes == 0


def _sent(
    state: State, settings: Settings, told: Sequence[Alert], now: datetime, channels: Sequence[Channel]
) -> tuple[tuple[ChannelResult, ...], tuple[Finding, ...]]:
    last_told.prepare(state.folder)
    waiting = memory.waiting(state)
    if not waiting:
        return (), ()
    memory.forget_other_channels(state, [channel.name for channel in channels])
    outboxes = [
        _Outbox(state, channel, settings, now, has_fresh=bool(told))
        for channel in channels
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
        """Whether the other side asked for a pause that is not over. One beyond all limits is a clock that moved."""
        from baileys_tools.integrations.notify.answers import LONGEST_RETRY_AFTER

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
            trouble = "it asked for a pause" if self._is_left_alone() else ""
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
            _say(f"alert not delivered by {name}{length}: {failed.trouble}; {what}")
            said = now
        memory.keep_channel(
            self.state,
            name,
            memory.ChannelState(
                min(self.before.failing_since or now, now),
                said,
                now + failed.retry_after if failed.retry_after else None,
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


def _say(text: str) -> None:
    from baileys_tools.masking import masked
    from baileys_tools.units import printable

    print(f"baileys-tools: {printable(masked(text))}", file=sys.stderr)


# --- notify test --------------------------------------------------------------------------------------------


def notify_test_command(flags: Mapping[str, object], config: str | None, *, as_json: bool) -> ExitCode:
    """Given the command line, send one message by each channel, say what became of it, and return the exit code."""
    from baileys_tools.commands.record import recorded

    loaded = load_settings(flags, os.environ, config=config)
    notify = loaded.settings.notify
    now = datetime.now(UTC)
    channels = channels_of(notify)
    for warning in notify_warnings(notify):
        _say(warning)
    if not channels:
        raise UsageError(
            "No channel for alerts is configured.",
            "Give at least one of these:\n"
            "  a webhook  NOTIFICATION_WEBHOOK=https://...\n"
            "  Telegram   TELEGRAM_BOT_TOKEN=... and TELEGRAM_CHAT_ID=...\n"
            "  Apprise    notify: {urls: ['ntfy://...']} in the settings file",
        )
    with recorded("notify-test", loaded.settings, now) as run:
        results = try_channels(notify, channels, now)
        failed = sum(bool(result.trouble) for result in results)
        code = ExitCode.FAILED if failed else ExitCode.DONE
        run.ended(code, channels=len(results), failed=failed)
        _print_results(results, now, code, as_json=as_json)
        return code


def try_channels(notify: Notify, channels: Sequence[Channel], now: datetime) -> list[ChannelResult]:
    """Send the test message by each channel and return what became of it."""
    message = _test_message(host_name(notify), now)
    sent = deliver(
        [(channel, [message]) for channel in channels], alert_seconds=ALERT_SECONDS, run_seconds=RUN_SECONDS
    )
    return [ChannelResult(channel.name, one[0].trouble) for channel, one in zip(channels, sent, strict=True)]


def _test_message(host: str, now: datetime) -> Message:
    from baileys_tools.output.json_text import timestamp

    title = f"TEST on {host}"
    text = f"{title}\n\nbaileys-tools can reach you. Nothing is wrong."
    facts = {"host": host, "at": timestamp(now), "late": False, "dropped": 0, "alerts": [], "more": 0}
    return Message(Severity.NOTICE.value, title, text, facts)


def _print_results(results: Sequence[ChannelResult], now: datetime, code: ExitCode, *, as_json: bool) -> None:
    if as_json:
        from baileys_tools.output.json_text import envelope

        channels = [
            {"name": one.name, "delivered": not one.trouble, "trouble": one.trouble} for one in results
        ]
        print(envelope("notify-test", now, code, {"channels": channels}))
        return
    width = max(len(result.name) for result in results)
    for result in results:
        print(f"{result.name:{width}}  {f'FAILED: {result.trouble}' if result.trouble else 'delivered'}")
