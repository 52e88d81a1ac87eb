"""Whether a bot is connected, as its HTTP API says, and what that means for a person."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command


class ConnectionState(StrEnum):
    """What the API said of a bot's connection to WhatsApp."""

    CONNECTED = "connected"
    CONNECTING = "connecting"
    """On its way, or waiting for a QR code to be scanned."""
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"
    """Nobody answered, or the answer says neither. Never taken for connected, nor for lost."""


class Connection(NamedTuple):
    """The answer for one company.

    `has_qr` is None where the answer does not tell; `user_masked` is the account with its middle left out, ""
    where it is not told; `detail` says in words why a state is unknown. None of them holds a whole number.
    """

    state: ConnectionState
    has_qr: bool | None = None
    user_masked: str = ""
    detail: str = ""

    @property
    def is_connected(self) -> bool:
        """Whether the API said so in as many words."""
        return self.state is ConnectionState.CONNECTED


def connection_findings(connections: Mapping[str, Connection]) -> Iterator[Finding]:
    """Given the connections by company id, yield what a person should know of them."""
    for company, connection in connections.items():
        facts = {"state": connection.state.value}
        if connection.state is ConnectionState.DISCONNECTED:
            yield Finding(
                "connection-lost",
                Severity.CRITICAL,
                company,
                "the bot's API says that it is not connected to WhatsApp"
                + (", and it waits for a QR code to be scanned" if connection.has_qr else ""),
                f"{command('baileys-tools recover --company {} --dry-run', company)} says why and what to do",
                facts,
            )
        elif connection.state is ConnectionState.CONNECTING:
            waits = "waits for a QR code to be scanned" if connection.has_qr else "is connecting"
            yield Finding(
                "connection-lost" if connection.has_qr else "connection-unknown",
                Severity.CRITICAL if connection.has_qr else Severity.NOTICE,
                company,
                f"the bot {waits}",
                f"{command('baileys-tools recover --company {} --dry-run', company)} says why and what to do",
                facts,
            )
        elif connection.state is ConnectionState.UNKNOWN:
            yield Finding(
                "connection-unknown",
                Severity.NOTICE,
                company,
                f"whether the bot is connected is not known: {connection.detail}",
                "see that the API runs, and that bot_api in the settings fits it",
                facts,
            )
