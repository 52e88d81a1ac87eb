"""Which address a command pings, and with which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from baileys_tools.config.ping_kind import pings_in
from baileys_tools.errors import BaileysToolsError, ExitCode

if TYPE_CHECKING:
    from baileys_tools.config import Ping

RAN = (ExitCode.DONE, ExitCode.WARNING, ExitCode.CRITICAL)
"""The job did its work. What it found is for the alerts: a ping only says that somebody looks."""


def ping_address(ping: Ping, command: str) -> str:
    """Given the settings, return the address that `command` pings, "" for none. Raises BaileysToolsError for one whose
    file cannot be read.
    """
    if ping.url is None:
        return ""
    return pings_in(ping.url.reveal()).get(command, "")


def ping_warnings(ping: Ping) -> list[str]:
    """Given the settings, return what about the pings is unwise, for `config check`."""
    if ping.url is None or ping.url.trouble:
        return []
    addresses = list(pings_in(ping.url.reveal()).values())
    if len(set(addresses)) < len(addresses):
        return [
            "ping.url has one address for several commands: when one stops, nobody notices (write {command})"
        ]
    return []


def pings_of(ping: Ping, command: str) -> Pings:
    """Given the settings, ping that `command` begins; return what pings its end."""
    try:
        return Pings(ping_address(ping, command))
    except BaileysToolsError as error:
        return Pings("", error.message)


class Pings:
    """The pings of one run. With no address, and where they fail, nothing happens but that `trouble` says why."""

    __slots__ = ("address", "trouble")

    def __init__(self, address: str, trouble: str = "") -> None:
        self.address = address
        self.trouble = trouble
        if address:
            from baileys_tools.frame.ping_http import ping_start

            self.trouble = ping_start(address)

    def end(self, command: str, code: ExitCode, counts: Mapping[str, int]) -> None:
        """Tell how the run ended. One that found everything locked did not do its work and did not fail: silence."""
        if not self.address or code is ExitCode.LOCKED:
            return
        from baileys_tools.frame.ping_http import ping_end

        sums = "".join(f"\n{name}: {number}" for name, number in counts.items())
        text = f"baileys-tools {command}: exit code {int(code)}{sums}"
        self.trouble = ping_end(self.address, succeeded=code in RAN, text=text)
