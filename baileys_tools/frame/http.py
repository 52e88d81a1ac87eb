"""One HTTP request that ends in time, reads no more than it may, and tells nothing in its errors.

httpx limits each read, not the whole: a server that sends a byte a second holds it for ever. And it puts the
address, which may hold a token, into its log and its exceptions. So this is its transport, `httpcore`, over
sockets that all count down to one deadline. httpcore follows no redirect and logs nothing at INFO. A proxy is
used only where the caller says so: bots are asked on loopback, alerts may have to leave through one.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ssl

    import httpcore

DEADLINE = 15.0
"""Seconds for a whole request: name, connection, TLS, sending and the last byte of the answer."""
LARGEST_ANSWER = 1 << 20


class Answer(NamedTuple):
    """What a server said. `body` is at most the limit that was given, and `cut` says that there was more."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; the first of several."""
    body: bytes
    cut: bool

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class HttpError(Exception):
    """No answer came. The text never holds the address, a header or anything the server sent."""


class _OutOfTime(Exception):
    pass


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    deadline: float = DEADLINE,
    limit: int = LARGEST_ANSWER,
    by_proxy: bool = False,
    status_alone: bool = False,
) -> Answer:
    """Send one request and return the answer, whatever its status; a redirect is an answer like any other.

    `deadline` is in seconds for all of it, `limit` in bytes of the body. `by_proxy`: by way of the proxy that the
    environment names for this address (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), if any. `status_alone`: of a
    success nothing but the status is waited for; some servers say 200 and never end their answer. Raises HttpError.
    """
    import httpcore

    clock = _Countdown(deadline)
    # A compressed answer could be larger than any limit once it is unpacked.
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "baileys-tools"}
    sent |= headers or {}
    try:
        with (
            _pool(url, clock, by_proxy=by_proxy) as pool,
            pool.stream(method, url, headers=list(sent.items()), content=body or b"") as response,
        ):
            if status_alone and 200 <= response.status < 300:
                return Answer(response.status, _named(response.headers), b"", False)
            content = bytearray()
            for piece in response.iter_stream():
                content += piece
                if len(content) > limit:
                    break
            return Answer(
                response.status, _named(response.headers), bytes(content[:limit]), len(content) > limit
            )
    except _OutOfTime:
        raise HttpError(f"no answer within {deadline:g} s") from None
    # `from None` throughout: the messages below may quote what was sent or received.
    except httpcore.TimeoutException:
        raise HttpError(f"no answer within {deadline:g} s") from None
    except httpcore.ConnectError as error:
        raise HttpError(_why_not_connected(error)) from None
    except httpcore.UnsupportedProtocol:
        raise HttpError("the address is neither http:// nor https://") from None
    except (httpcore.ProtocolError, httpcore.NetworkError):
        raise HttpError("the connection broke before the answer was whole, or it was not HTTP") from None
    except httpcore.ProxyError:
        raise HttpError("the proxy did not let the request through") from None
    except (ValueError, TypeError):
        raise HttpError("the address or a header cannot be sent") from None


def _pool(url: str, clock: _Countdown, *, by_proxy: bool) -> httpcore.ConnectionPool:
    import httpcore

    trusted = _trusted() if url.lower().startswith("https:") else None
    proxy = _proxy_for(url) if by_proxy else None
    if proxy is None:
        return httpcore.ConnectionPool(ssl_context=trusted, network_backend=_backend(clock))
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError("the proxy that the environment names is no HTTP proxy")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return httpcore.HTTPProxy(
        f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}",
        proxy_auth=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
        ssl_context=trusted,
        proxy_ssl_context=_trusted() if parts.scheme == "https" else None,
        network_backend=_backend(clock),
    )


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address, None for none."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies_environment, proxy_bypass

    parts = urlsplit(url)
    named = getproxies_environment()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # As curl reads it: without a scheme it is HTTP.
    return proxy if "://" in proxy else f"http://{proxy}"


class _Countdown:
    """The seconds that are left of a deadline."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise _OutOfTime
        return left


def _backend(clock: _Countdown) -> Any:
    import httpcore

    class Stream(httpcore.NetworkStream):
        """A connection of which every step counts down to the same end."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            content: bytes = self._inner.read(max_bytes, clock.left())
            return content

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            view = memoryview(buffer)
            while view:
                # The socket's own limit is for each piece that it gets rid of.
                self._inner.write(bytes(view[:65_536]), clock.left())
                view = view[65_536:]

        def close(self) -> None:
            self._inner.close()

        def start_tls(
            self,
            ssl_context: ssl.SSLContext,
            server_hostname: str | None = None,
            timeout: float | None = None,
        ) -> httpcore.NetworkStream:
            return Stream(self._inner.start_tls(ssl_context, server_hostname, clock.left()))

        def get_extra_info(self, info: str) -> Any:
            return self._inner.get_extra_info(info)

    class Backend(httpcore.NetworkBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Any = None,
        ) -> httpcore.NetworkStream:
            trouble: Exception = httpcore.ConnectError(OSError("no address"))
            for address in _addresses(host, port, clock):
                try:
                    return Stream(httpcore.SyncBackend().connect_tcp(address, port, clock.left()))
                except httpcore.ConnectError as error:
                    trouble = error
            raise trouble

    return Backend()


def _addresses(host: str, port: int, clock: _Countdown) -> list[str]:
    """Return the addresses of a host. The system's resolver knows no limit, so it works aside."""
    import threading

    import httpcore

    found: list[str] = []
    wrong: list[OSError] = []

    def resolve() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append(str(address[0]))
        except OSError as error:
            wrong.append(error)
        except UnicodeError:
            wrong.append(socket.gaierror("no such name"))

    # A daemon: nobody waits for it at the end either.
    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(clock.left())
    if wrong:
        raise httpcore.ConnectError(wrong[0])
    clock.left()
    return list(dict.fromkeys(found))


@cache
def _trusted() -> ssl.SSLContext:
    """Whom a server's certificate may come from: the system's list and, where that is empty, the common one."""
    import ssl

    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _why_not_connected(error: Exception) -> str:
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        for inner in (cause, *cause.args):
            if isinstance(inner, ssl.SSLCertVerificationError):
                return "the certificate of the server is not one that this host trusts"
            if isinstance(inner, ssl.SSLError):
                return "no TLS connection could be made"
            if isinstance(inner, socket.gaierror):
                return "the name of the host cannot be found"
            if isinstance(inner, ConnectionRefusedError):
                return "connection refused: nothing listens there"
        cause = cause.__cause__ or cause.__context__
    return "no connection"


def _named(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in headers:
        named.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return named
