"""HTTP requests that end in time, read no more than they may, and tell nothing in their errors.

By httpx, several side by side, under what it lacks: one deadline for the whole of a request (its own is for each
read, so a server that sends a byte a second would hold it for ever). httpx follows no redirect unless told to. It
puts the address, which may hold a token, into its log and its exceptions, so neither leaves this module. A proxy is
used only where the caller says so: bots are asked on loopback, alerts may have to leave through one.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.ending import start_aside

if TYPE_CHECKING:
    import asyncio
    import ssl

    import httpx

DEADLINE = 15.0
"""Seconds for a whole request: name, connection, TLS, sending and the last byte of the answer."""
LARGEST_ANSWER = 1 << 20
GRACE = 1.0
"""Seconds after the last deadline in which the loop has to have noticed it."""
_LOADING = threading.Lock()
"""Channels are tried in threads of their own, and `cache` does not keep two from loading httpx at once."""


class Request(NamedTuple):
    """What to ask.

    `deadline` is in seconds for all of it, `limit` in bytes of the answer's body. `by_proxy`: by way of the proxy that
    the environment names for this address (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), if any. `status_alone`: of a
    success only the status is waited for; some servers say 200 and never end their answer.
    """

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    deadline: float = DEADLINE
    limit: int = LARGEST_ANSWER
    by_proxy: bool = False
    status_alone: bool = False


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


def send(request: Request) -> Answer:
    """Send one request and return the answer, whatever its status; a redirect is an answer like any other.

    Raises HttpError.
    """
    (came,) = send_all([request], within=request.deadline)
    if isinstance(came, HttpError):
        raise came
    return came


def send_all(requests: Sequence[Request], *, within: float, at_a_time: int = 1) -> list[Answer | HttpError]:
    """Send requests, so many at a time, and return for each its answer or why there is none, in their order.

    `within` is in seconds for all of them: what was not asked by then is not asked.
    """
    import asyncio

    with _LOADING:
        _load_httpx()
    came: list[list[Answer | HttpError]] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                came.append(runner.run(_side_by_side(requests, within, at_a_time)))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for the answers
            failed.append(error)

    # Aside, and a daemon: a signal ends the wait here at once, where a loop would swallow what it raises.
    start_aside(work).join(within + GRACE)
    for error in failed:
        raise error
    return came[0] if came else [HttpError(f"no answer within {within:g} s") for _ in requests]


async def _side_by_side(
    requests: Sequence[Request], within: float, at_a_time: int
) -> list[Answer | HttpError]:
    import asyncio

    end = time.monotonic() + within
    places = asyncio.Semaphore(at_a_time)

    async def one(request: Request) -> Answer | HttpError:
        async with places:
            left = end - time.monotonic()
            if left <= 0:
                return HttpError(f"no time was left to ask it within {within:g} s")
            try:
                return await _sent(request, min(left, request.deadline))
            except HttpError as error:
                return error

    return await asyncio.gather(*map(one, requests))


async def _sent(request: Request, seconds: float) -> Answer:
    import asyncio

    import httpx

    # A compressed answer could be larger than any limit once it is unpacked.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "baileys-tools"}
    headers |= request.headers
    try:
        async with (
            asyncio.timeout(seconds),
            # One for each request: what a server has the client remember is not for the next.
            httpx.AsyncClient(
                verify=_trusted(request.url.lower().startswith("https:")),
                proxy=_proxy_for(request.url) if request.by_proxy else None,
                trust_env=False,
                timeout=None,  # noqa: S113 - the one above is for all of it
            ) as client,
            client.stream(request.method, request.url, headers=headers, content=request.body) as response,
        ):
            return await _read(response, request)
    # `from None` throughout: the messages below may quote what was sent or received.
    except (TimeoutError, httpx.TimeoutException):
        raise HttpError(f"no answer within {seconds:.3g} s") from None
    except (httpx.InvalidURL, httpx.LocalProtocolError, ValueError, TypeError):
        raise HttpError("the address or a header cannot be sent") from None
    except httpx.UnsupportedProtocol:
        raise HttpError("the address is neither http:// nor https://") from None
    except httpx.ProxyError:
        raise HttpError("the proxy did not let the request through") from None
    except httpx.ConnectError as error:
        raise HttpError(_why_not_connected(error)) from None
    except (httpx.HTTPError, OSError):
        raise HttpError("the connection broke before the answer was whole, or it was not HTTP") from None


async def _read(response: httpx.Response, request: Request) -> Answer:
    # The first of several of one name.
    headers = dict(reversed(response.headers.multi_items()))
    if request.status_alone and response.is_success:
        return Answer(response.status_code, headers, b"", False)
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > request.limit:
            break
    return Answer(
        response.status_code, headers, bytes(content[: request.limit]), len(content) > request.limit
    )


@cache
def _load_httpx() -> None:
    """Load httpx without its own command line, which is half of what that costs (rich, click, pygments)."""
    import logging

    hidden = "httpx._main"
    sys.modules.setdefault(hidden, None)  # type: ignore[arg-type]
    import httpx  # noqa: F401

    if sys.modules[hidden] is None:
        del sys.modules[hidden]
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that looks up names in daemons: its own pool is waited for at the end of the process, and the
    system's resolver knows no limit."""
    import asyncio

    class Loop(asyncio.SelectorEventLoop):
        async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
            found: asyncio.Future[Any] = self.create_future()

            def settle(answer: Any) -> None:
                if isinstance(answer, OSError) and not found.done():
                    found.set_exception(answer)
                elif not found.done():
                    found.set_result(answer)

            def resolve() -> None:
                try:
                    answer: Any = socket.getaddrinfo(host, port, **how)
                except OSError as error:
                    answer = error
                except UnicodeError:
                    answer = socket.gaierror("no such name")
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    self.call_soon_threadsafe(settle, answer)

            start_aside(resolve)
            return await found

    return Loop()


def _proxy_for(url: str) -> httpx.Proxy | None:
    """Return the proxy that the environment names for an address, None for none."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies_environment, proxy_bypass

    import httpx

    parts = urlsplit(url)
    named = getproxies_environment()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # As curl reads it: without a scheme it is HTTP.
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https") or not urlsplit(proxy).hostname:
        raise HttpError("the proxy that the environment names is not an HTTP proxy")
    return httpx.Proxy(proxy, ssl_context=_trusted(True) if scheme == "https" else None)


@cache
def _trusted(for_tls: bool) -> ssl.SSLContext:
    """Return whom a server's certificate may come from: the system's list or, where the host has none, the common one.

    Reading a list takes longer than all else of a request, so where there is no TLS it is one that trusts nobody.
    """
    import ssl

    if not for_tls:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    system = ssl.get_default_verify_paths()
    if not (system.cafile or (system.capath and os.listdir(system.capath))):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _why_not_connected(error: BaseException) -> str:
    import ssl

    causes: list[BaseException | None] = [error]
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the certificate of the server is not one that this host trusts"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection could be made"
        if isinstance(cause, socket.gaierror):
            return "the name of the host cannot be found"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: nothing listens there"
        if cause is not None:
            # One for each address of the host, where it has several.
            causes += getattr(cause, "exceptions", ())
            causes.append(cause.__cause__ or cause.__context__)
    return "no connection"
