"""What is wrong with settings that are valid one by one: what a command would stumble over when it needs them."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.config.companies import own_values
from baileys_tools.errors import UsageError
from baileys_tools.extras import missing_of, way_to_add
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.units import quoted

_EXTRAS = {
    **{scheme: scheme for scheme in ("sftp", "s3")},
    **dict.fromkeys(("postgres", "postgresql"), "postgres"),
    **dict.fromkeys(("redis", "rediss"), "redis"),
}
"""The extra that an address needs, by its scheme."""


def mistakes(loaded: LoadedSettings) -> list[str]:
    """Given settings that loaded, return a line for each mistake, with its setting and where that was given."""
    return [
        f"{path}: {what} ({loaded.origin.get(path, 'default')})"
        for path, what in (*_of_stores(loaded), *_of_backup(loaded.settings), *_of_bots(loaded))
    ]


def _of_stores(loaded: LoadedSettings) -> Iterator[tuple[str, str]]:
    for root in loaded.settings.sessions.roots:
        if root.store and (told := _missing_for(root.store.address, "such a store")):
            yield "sessions.roots", told


def _missing_for(address: str, what: str) -> str:
    extra = _EXTRAS.get(address.partition("://")[0], "")
    return _missing(extra, f"which {what} needs") if extra else ""


def _missing(extra: str, why: str) -> str:
    module = missing_of(extra)
    return module and f"{module} is not installed, {why}: {way_to_add(extra)}"


def _of_backup(settings: Settings) -> Iterator[tuple[str, str]]:
    for text in settings.backup.recipients:
        try:
            Recipients([text])
        except UsageError as error:
            yield "backup.recipients", error.message.removeprefix("backup.recipients: ")
    for place in settings.backup.copies:
        if told := _missing_for(str(place), "such a place"):
            yield "backup.copies", told
    own = (settings.for_company(key).notify for key in settings.companies.those_with("notify"))
    if any(one.urls for one in (settings.notify, *own)) and (told := _missing("apprise", "which they need")):
        yield "notify.urls", told


def _of_bots(loaded: LoadedSettings) -> Iterator[tuple[str, str]]:
    settings, own = loaded.settings, own_values(loaded.values)
    told = set()
    for key in ("", *settings.companies.those_with("bot_api")):
        of_key = settings.for_company(key).bot_api if key else settings.bot_api
        # Said once where it stands, however many use that template or have what all have.
        path = own.get(key, {}).get(_PRESET, _PRESET)
        if of_key.preset is not None and of_key.url is None and path not in told:
            told.add(path)
            yield path, f"the preset {quoted(of_key.preset)} has no bot_api.url beside it, so no bot is asked"


_PRESET = "bot_api.preset"
