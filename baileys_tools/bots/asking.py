"""What every command needs that speaks with bots: the API of a company by its settings, and the whole fleet asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.bots.rules.process import process_findings, restarts_since
from baileys_tools.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from baileys_tools.bots.bot_api import BotApi
    from baileys_tools.bots.process import Process
    from baileys_tools.bots.rules.process import ProcessFacts
    from baileys_tools.config import Settings
    from baileys_tools.findings import Finding
    from baileys_tools.state.database import State

REQUESTS = ("status", "reconnect", "init", "qr", "pairing_code", "send")

AT_A_TIME = 32
"""Companies that are asked side by side: most of it is waiting, also where one process answers for all of them."""
PROCESS_MEMORY = "process"
"""Under this the last look at a process is kept in the state."""
FLEET_SECONDS = 30.0
"""How long the whole fleet may take to answer."""


def bot_api_for(settings: Settings, company: str) -> BotApi | None:
    """Given the settings, return the API of a company, None where none is configured."""
    own = settings.for_company(company).bot_api
    if own.url is None:
        return None
    from baileys_tools.bots.bot_api import PRESETS, BotApi, Endpoint
    from baileys_tools.config.kinds import headers_in

    preset = PRESETS[own.preset] if own.preset is not None else None
    endpoints = dict(preset.endpoints) if preset is not None else {}
    for what in REQUESTS:
        if (given := getattr(own, what)) is not None:
            endpoints[what] = Endpoint(**given)
    secrets = [secret for secret in (own.headers, own.token) if secret is not None]
    trouble = next((secret.trouble for secret in secrets if secret.trouble), "")
    headers = headers_in(own.headers.reveal()) if own.headers is not None and not trouble else {}
    if own.token is not None and not trouble:
        template = preset.token_header if preset is not None else "Authorization: Bearer {token}"
        name, _, value = template.partition(": ")
        headers.setdefault(name, value.format(token=own.token.reveal()))
    return BotApi(own.url, own.name or company, endpoints, headers, own.timeout.total_seconds(), trouble)


def require_bot_api(settings: Settings, company: str) -> BotApi:
    """Return the API of a company. Raises UsageError, saying how to give one, when there is none."""
    api = bot_api_for(settings, company)
    if api is None:
        raise UsageError(
            f"no address is given for the API of company {company}",
            "Give it in one of two ways, with bot_api.preset beside it (docs/recovery.md):\n"
            "  environment    API_URL=http://127.0.0.1:3000\n"
            '  settings file  bot_api: {preset: ai-admin, url: "http://127.0.0.1:3000"}',
        )
    return api


def where_of(settings: Settings, company: str) -> str:
    """Return where the API of a company is, as an error may say it: the path can hold a secret."""
    parts = urlsplit(settings.for_company(company).bot_api.url or "")
    return f"{parts.scheme}://{parts.netloc}"


def connections(
    settings: Settings, companies: Sequence[str], *, within: float = FLEET_SECONDS
) -> dict[str, Connection]:
    """Ask for the connection of each company that has an API configured, `within` seconds for all of them.

    Never raises: what was not asked or not answered in time is unknown. Companies without an API, or with one that has
    no status request, are left out.
    """
    apis = ((company, bot_api_for(settings, company)) for company in companies)
    asked = {company: api for company, api in apis if api is not None and api.offers("status")}
    if not asked:
        return {}
    from baileys_tools.bots.bot_api import connections_of

    found = connections_of(list(asked.values()), within=within, at_a_time=AT_A_TIME)
    return dict(zip(asked, found, strict=True))


def process_of(settings: Settings, company: str) -> Process | None:
    """Given the settings, return the process of a company, None where none is configured."""
    from baileys_tools.config.schema import MANAGERS

    own = settings.for_company(company).process
    for manager in MANAGERS:
        if (name := getattr(own, manager)) is not None:
            from baileys_tools.bots.process import Process

            return Process(manager, name.replace("{company}", company))
    return None


def processes(settings: Settings, companies: Sequence[str]) -> dict[str, ProcessFacts]:
    """Look at the process of each company that has one configured; at one that several share, once, and PM2 is asked
    once for all of its own."""
    named = ((company, process_of(settings, company)) for company in companies)
    wanted = {company: process for company, process in named if process is not None}
    if not wanted:
        return {}
    from baileys_tools.bots.process import look_at_all

    seen = look_at_all(wanted.values())
    return {company: seen[process] for company, process in wanted.items()}


def process_changes(
    state: State, settings: Settings, seen: Mapping[str, ProcessFacts], *, keeps: bool = True
) -> Iterator[Finding]:
    """Compare each process with the last look, and yield what a person should know; `keeps` remembers this look."""
    from baileys_tools.state.memory import keep, recall_all

    before = recall_all(state, PROCESS_MEMORY) if seen else {}
    for company, facts in seen.items():
        since = restarts_since(before.get(company), facts)
        burst = settings.for_company(company).process.restart_burst
        yield from process_findings(company, facts, since, burst)
        if keeps and facts.running is not None:
            keep(state, PROCESS_MEMORY, facts.to_remember(), company)


class BotSigns(NamedTuple):
    """In words what says that a bot runs, and whether its API or its process manager says that it does not.

    `off_since` is when its process ended (aware), where its manager tells.
    """

    running: tuple[str, ...] = ()
    is_off: bool = False
    off_since: datetime | None = None


def signs_of_a_bot(settings: Settings, company: str) -> BotSigns:
    """Ask the API of a company's bot and the manager of its process. Nothing configured: nothing."""
    connection = _connection_of(settings, company)
    signs = []
    process = _look_at_process(settings, company)
    runs = process.running if process is not None else None
    if runs:
        signs.append(f"its process runs ({process_of(settings, company)})")
    # One that connects has its session in memory, and writes it once the login is done.
    if connection is not None and connection.state in (ConnectionState.CONNECTED, ConnectionState.CONNECTING):
        signs.append(f"its API says that it is {connection.state.value}")
    says_off = connection is not None and connection.state is ConnectionState.DISCONNECTED
    is_off = not signs and (runs is False or says_off)
    return BotSigns(tuple(signs), is_off, process.stopped if process is not None and is_off else None)


def signs_of_a_running_bot(settings: Settings, company: str) -> list[str]:
    """Return in words what says that the bot of a company runs."""
    return list(signs_of_a_bot(settings, company).running)


def signs_of_a_session_in_use(settings: Settings, company: str) -> list[str]:
    """As `signs_of_a_running_bot`, for who replaces a whole session, which may be one that connects in vain.

    That its process runs is no sign where an API tells how the bot is: one process serves all of them, and is the
    one that is to start this one anew.
    """
    connection = _connection_of(settings, company)
    if connection is None:
        return _signs_of_a_process(settings, company)
    if connection.state is ConnectionState.UNKNOWN:
        return [
            f"{sign}, and whether it is connected is not known ({connection.detail})"
            for sign in _signs_of_a_process(settings, company)
        ]
    return ["its API says that it is connected"] if connection.is_connected else []


def _signs_of_a_process(settings: Settings, company: str) -> list[str]:
    process = _look_at_process(settings, company)
    return [f"its process runs ({process_of(settings, company)})"] if process and process.running else []


def _look_at_process(settings: Settings, company: str) -> ProcessFacts | None:
    process = process_of(settings, company)
    if process is None:
        return None
    from baileys_tools.bots.process import look_at

    return look_at(process)


def _connection_of(settings: Settings, company: str) -> Connection | None:
    """Ask how a bot is connected; None where there is no API, or none that could say it."""
    api = bot_api_for(settings, company)
    return api.connection() if api is not None and api.offers("status") else None
