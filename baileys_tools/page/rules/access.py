"""Who may talk to the page: names in `Host`, origins, cookies, links, and how often. Pure; the clock is passed in."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple

COOKIE_SECONDS = 30 * 86_400
LINK_SECONDS = 15 * 60
"""So long the link that a start prints lets one browser in."""
SHORTEST_TOKEN = 32

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?")


class Listening(NamedTuple):
    """Where the page listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this host reaches it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    @property
    def text(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Listening:
    """Given `127.0.0.1:8787`, `[::1]:8787`, `localhost:8787` or `:8787` (all addresses), return the address.

    Raise ValueError for anything else: which of a name's addresses is meant is nobody's guess.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} has no port: for example 127.0.0.1:8787")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if (":" in host) is not is_bracketed:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets, for example [::1]:8787")
    host = host.strip("[]") or "0.0.0.0"  # noqa: S104 - asked for
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IP address or localhost") from None
    return Listening(host, int(port))


def knows_host(header: str, names: Collection[str]) -> bool:
    """Given a `Host` header, return whether it is ours.

    A page elsewhere can have its own name resolve to this host, and then ask as if from here (DNS rebinding): it needs
    a name for that, so an address, `localhost` and the names in the settings are all that is answered to.
    """
    found = _HOST.fullmatch(header)
    if found is None:
        return False
    name = found["name"].lower().rstrip(".")
    if name.startswith("["):
        return True
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return name == "localhost" or name in {one.lower() for one in names}
    return True


def is_asked_by_us(site: str | None, mode: str | None) -> bool:
    """Given `Sec-Fetch-Site` and `Sec-Fetch-Mode`, return whether a page of ours asks, or somebody who opens one.

    A browser without these headers brings a cookie along for its own site alone (SameSite=Strict), of whatever port.
    """
    return site in (None, "same-origin", "none") or mode == "navigate"


def is_same_origin(origin: str | None, site: str | None, host: str, *, by_cookie: bool) -> bool:
    """Given `Origin`, `Sec-Fetch-Site` and `Host` of a POST, return whether it comes from a page of ours.

    A browser always sends the first of them. A script that has no cookie need not send either.
    """
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is None:
        return not by_cookie
    # In front may stand what ends TLS, so the scheme is not compared.
    return re.sub(r"^https?://", "", origin) == host and origin != host


def same(given: str, right: str) -> bool:
    """Compare two secrets in the same time, whatever they share."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _signed(token: str, text: str) -> str:
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def cookie_name(port: int) -> str:
    """The cookie's name: cookies know no ports, and two pages of one host must not log each other out."""
    return f"baileys-tools-{port}"


def cookies_of(header: str, name: str) -> list[str]:
    """Given a `Cookie` header, return all values of this name.

    Whatever else listens under the name of this host can set cookies that are sent here too, one of ours as well: none
    of them may keep somebody out. The cookies of the standard library know one of each name, and none beside one that
    it cannot read.
    """
    pairs = (one.strip().partition("=") for one in header.split(";"))
    return [value for found, _, value in pairs if found == name]


def cookie_value(token: str, now: float, nonce: str) -> str:
    """Return what a browser is given for the token: it ends by itself, and with the token."""
    text = f"{int(now) + COOKIE_SECONDS}.{nonce}"
    return f"{text}.{_signed(token, f'cookie {text}')}"


def cookie_holds(token: str, value: str, now: float) -> bool:
    """Whether a browser was given this value, and may still use it."""
    text, _, signature = value.rpartition(".")
    until = text.partition(".")[0]
    if not same(signature, _signed(token, f"cookie {text}")):
        return False
    return until.isascii() and until.isdigit() and now < int(until)


def badge_key(token: str, company: str) -> str:
    """Return what lets anybody see the badge of one company, and nothing else."""
    return _signed(token, f"badge {company}")[:32]


def bearer_of(header: str) -> str:
    """Given an `Authorization` header, return the token in it, "" for none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Bucket:
    """So many at once, and so many a second: the rest is told to wait."""

    __slots__ = ("_at", "_left", "most", "per_second")

    def __init__(self, most: int, per_second: float) -> None:
        self.most = most
        self.per_second = per_second
        self._left = float(most)
        self._at: float | None = None

    def takes(self, now: float) -> bool:
        """Take one at this time (seconds of a clock that only goes forward); return whether there was one."""
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._left = min(float(self.most), self._left + passed * self.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
