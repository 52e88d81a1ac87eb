"""The channels that alerts go to, as the settings name them, and what about those settings cannot be meant."""

import os
import sys
from functools import partial
from typing import NamedTuple

from baileys_tools.alerts.channels.delivery import Channel
from baileys_tools.alerts.rules.message import Sent
from baileys_tools.config import Notify, Secret, Settings
from baileys_tools.units import printable


class ChannelResult(NamedTuple):
    """What became of a run's messages at one channel. `waiting` counts the messages that wait for the next run."""

    name: str
    trouble: str = ""
    waiting: int = 0


class Routes:
    """Which channels the alerts of which company go to. Companies with the same settings share theirs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._owners: dict[Notify, str] = {settings.notify: ""}
        self._channels: dict[str, Channel] = {}
        self._of: dict[str, list[str]] = {}
        self._names_of(settings.notify, "")
        for key in settings.companies.those_with("notify"):
            self._names_of(settings.for_company(key).notify, key)

    @property
    def channels(self) -> list[Channel]:
        """All channels, those of all companies first."""
        return [*self._channels.values()]

    def of(self, company: str) -> list[str]:
        """Return the names of the channels of a company; "" is the host."""
        settings = self._settings.for_company(company) if company else self._settings
        return self._names_of(settings.notify, company)

    def _names_of(self, notify: Notify, key: str) -> list[str]:
        owner = self._owners.setdefault(notify, key)
        if owner not in self._of:
            found = channels_of(notify)
            if owner:
                found = [one._replace(name=f"{one.name} of {printable(owner)}") for one in found]
            self._channels |= {one.name: one for one in found}
            self._of[owner] = [one.name for one in found]
        return self._of[owner]


def channels_of(notify: Notify) -> list[Channel]:
    """Given the settings, return the channels that are configured. Their names hold no secret."""
    from baileys_tools.alerts.channels.apprise_service import send_by_apprise
    from baileys_tools.alerts.channels.telegram import send_telegram
    from baileys_tools.alerts.channels.webhook import send_webhook

    channels = []
    if notify.webhook is not None and notify.webhook.trouble:
        channels.append(_shut("webhook", notify.webhook))
    elif notify.webhook is not None:
        channels.append(Channel("webhook", partial(send_webhook, notify.webhook.reveal())))
    telegram = [one for one in (notify.telegram_bot_token, notify.telegram_chat_id) if one is not None]
    if any(one.trouble for one in telegram):
        channels += [_shut("telegram", one) for one in telegram if one.trouble][:1]
    elif notify.telegram_bot_token is not None and notify.telegram_chat_id is not None:
        token, chat = notify.telegram_bot_token.reveal(), notify.telegram_chat_id.reveal()
        channels.append(Channel("telegram", partial(send_telegram, notify.telegram_api, token, chat)))
    for number, url in enumerate(notify.urls, start=1):
        if url.trouble:
            channels.append(_shut(f"apprise {number}", url))
            continue
        # The scheme alone: all else of such an address can be a password.
        name = f"apprise {number} ({url.reveal().partition('://')[0][:20]})"
        channels.append(Channel(name, partial(send_by_apprise, url.reveal())))
    return channels


def _shut(name: str, secret: Secret) -> Channel:
    """Return a channel whose secret cannot be read: it fails with that, and what it should send waits."""
    return Channel(name, lambda message, seconds: Sent(secret.trouble))


def notify_warnings(notify: Notify) -> list[str]:
    """Given the settings, return what about the channels cannot be meant, for `config check`."""
    warnings = []
    pair = {"telegram_bot_token": notify.telegram_bot_token, "telegram_chat_id": notify.telegram_chat_id}
    missing = [key for key, value in pair.items() if value is None]
    if len(missing) == 1:
        (given,) = pair.keys() - {*missing}
        warnings.append(f"notify.{given} is given but notify.{missing[0]} is not: nothing goes to Telegram")
    if notify.urls:
        from baileys_tools.extras import missing_of, way_to_add

        if missing_of("apprise"):
            warnings.append(f"notify.urls needs Apprise: {way_to_add('apprise')}")
    for key, value in (("webhook", notify.webhook), ("telegram_api", notify.telegram_api)):
        secret = "" if value is None or isinstance(value, str) or value.trouble else value.reveal()
        text = value if isinstance(value, str) else secret
        if text.startswith("http://") and not _is_here(text):
            warnings.append(f"notify.{key} is not encrypted on its way (http://): use https://")
    return warnings


def _is_here(url: str) -> bool:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")


def host_name(notify: Notify) -> str:
    """Return what alerts call this host."""
    return notify.host or os.uname().nodename


def say(text: str) -> None:
    """Print a line on standard error, without secrets."""
    from baileys_tools.masking import masked

    print(f"baileys-tools: {printable(masked(text))}", file=sys.stderr)
