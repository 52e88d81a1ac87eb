"""`notify test`: one message by each channel, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from baileys_tools.alerts.channels.delivery import Channel, deliver
from baileys_tools.alerts.channels_of import ChannelResult, Routes, host_name, notify_warnings, say
from baileys_tools.alerts.rules.message import Message
from baileys_tools.config import Notify
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.findings import Severity
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force


def notify_test_command(given: CommandLine) -> ExitCode:
    """Given the command line, send one message by each channel, say what became of it, and return the exit code."""
    from baileys_tools.frame.record import recorded

    loaded = settings_in_force(given.flags, given.config)
    notify = loaded.settings.notify
    now = datetime.now(UTC)
    channels = Routes(loaded.settings).channels
    for warning in notify_warnings(notify):
        say(warning)
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
        _print_results(results, now, code, as_json=given.as_json)
        return code


def try_channels(notify: Notify, channels: Sequence[Channel], now: datetime) -> list[ChannelResult]:
    """Send the test message by each channel and return what became of it."""
    message = _test_message(host_name(notify), now)
    sent = deliver([(channel, [message]) for channel in channels])
    return [ChannelResult(channel.name, one[0].trouble) for channel, one in zip(channels, sent, strict=True)]


def _test_message(host: str, now: datetime) -> Message:
    from baileys_tools.frame.show.json_text import timestamp

    title = f"TEST on {host}"
    text = f"{title}\n\nbaileys-tools can reach you. Nothing is wrong."
    facts = {"host": host, "at": timestamp(now), "late": False, "dropped": 0, "alerts": [], "more": 0}
    return Message(Severity.NOTICE.value, title, text, facts)


def _print_results(results: Sequence[ChannelResult], now: datetime, code: ExitCode, *, as_json: bool) -> None:
    if as_json:
        from baileys_tools.frame.show.json_text import envelope

        channels = [
            {"name": one.name, "delivered": not one.trouble, "trouble": one.trouble} for one in results
        ]
        print(envelope("notify-test", now, code, {"channels": channels}))
        return
    width = max(len(result.name) for result in results)
    for result in results:
        print(f"{result.name:{width}}  {f'FAILED: {result.trouble}' if result.trouble else 'delivered'}")
