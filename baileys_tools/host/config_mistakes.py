"""What is wrong with settings that are valid one by one: what a command would stumble over when it needs them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.errors import UsageError
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.units import quoted

EXTRAS = {"sftp": ("paramiko", "paramiko"), "s3": ("s3fs", "s3fs")}
"""What a place of copies needs, by its scheme: a module, and how it is added."""

STORE_EXTRAS = {
    **dict.fromkeys(("postgres", "postgresql"), ("psycopg", "'psycopg[binary]'")),
    **dict.fromkeys(("redis", "rediss"), ("redis", "redis")),
}
"""The same for a store, by the scheme of its address."""


def mistakes(loaded: LoadedSettings) -> list[str]:
    """Given settings that loaded, return a line for each mistake, with its setting and where that was given."""
    return [
        f"{path}: {what} ({loaded.origin.get(path, 'default')})"
        for path, what in (*_of_stores(loaded), *_of_backup(loaded.settings), *_of_bots(loaded.settings))
    ]


def _of_stores(loaded: LoadedSettings) -> Iterator[tuple[str, str]]:
    for root in loaded.settings.sessions.roots:
        module, package = STORE_EXTRAS.get(
            root.store.address.partition("://")[0] if root.store else "", ("", "")
        )
        if module and find_spec(module) is None:
            yield (
                "sessions.roots",
                f"{module} is not installed, which such a store needs: pipx inject baileys-tools {package}",
            )


def _of_backup(settings: Settings) -> Iterator[tuple[str, str]]:
    for text in settings.backup.recipients:
        try:
            Recipients([text])
        except UsageError as error:
            yield "backup.recipients", error.message.removeprefix("backup.recipients: ")
    for place in settings.backup.copies:
        module, package = EXTRAS.get(str(place).partition("://")[0], ("", ""))
        if module and find_spec(module) is None:
            yield (
                "backup.copies",
                f"{module} is not installed, which such a place needs: pipx inject baileys-tools {package}",
            )
    if settings.notify.urls and find_spec("apprise") is None:
        yield "notify.urls", "apprise is not installed, which they need: pipx inject baileys-tools apprise"


def _of_bots(settings: Settings) -> Iterator[tuple[str, str]]:
    for key in ("", *settings.companies.those_with("bot_api")):
        own = settings.for_company(key).bot_api if key else settings.bot_api
        if own.preset is not None and own.url is None:
            path = f"companies.{key}.bot_api.preset" if key else "bot_api.preset"
            yield path, f"the preset {quoted(own.preset)} has no bot_api.url beside it, so no bot is asked"
