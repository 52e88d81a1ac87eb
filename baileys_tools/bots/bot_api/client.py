"""Asks the HTTP API of a bot, and believes of its answers only what they say.

No error holds an address with its path, a header, a phone number or anything that the server sent but its
status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from baileys_tools.bots.bot_api.endpoint import Endpoint
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.frame.http import Answer, HttpError, Request, send_all
from baileys_tools.masking import masked_number

LARGEST_STATUS = 256 << 10
LONGEST_CODE = 2 << 20
"""A QR code may come as a picture."""


class ApiError(Exception):
    """The API did not do what it was asked. The text says why, and is safe to show."""


class Unsupported(ApiError):
    """There is no such request, neither in the preset nor in the settings."""


class BotApi:
    """The API as it speaks of one company.

    `base` is the address before the paths, `name` what the API calls the company, `headers` may be secret,
    `timeout` is in seconds for a whole request. `trouble` says why nothing can be asked, where a secret is missing.
    """

    def __init__(
        self,
        base: str,
        name: str,
        endpoints: Mapping[str, Endpoint],
        headers: Mapping[str, str],
        timeout: float,
        trouble: str = "",
    ) -> None:
        self._base = base.rstrip("/")
        self._name = name
        self._endpoints = endpoints
        self._headers = headers
        self._timeout = timeout
        self._trouble = trouble

    def offers(self, what: str) -> bool:
        """Whether there is a request `status`, `reconnect`, `init`, `qr`, `pairing_code` or `send`."""
        return what in self._endpoints

    def connection(self) -> Connection:
        """Ask whether the company is connected. Never raises: what is not answered is unknown."""
        return connections_of([self], within=self._timeout)[0]

    def status_request(self) -> Request:
        """Return what asks for the connection. Raises ApiError."""
        return self._request(self._endpoint("status"), {}, LARGEST_STATUS)

    def connection_in(self, answer: Answer | HttpError) -> Connection:
        """Given what came of a status request, return what it says of the connection."""
        try:
            return read_connection(self._endpoint("status"), _document(_taken(answer)))
        except ApiError as error:
            return Connection(ConnectionState.UNKNOWN, detail=str(error))

    def reconnect(self) -> None:
        """Have the bot connect again with the session it has. Raises ApiError."""
        self._do("reconnect")

    def init(self) -> None:
        """Have the bot start its session. Raises ApiError."""
        self._do("init")

    def qr(self) -> str:
        """Return the QR code that waits to be scanned: its text, or a PNG as base64; "" while there is none.

        Raises ApiError.
        """
        return self._code("qr", {})

    def pairing_code(self, number: str) -> str:
        """Return the code to type into the phone of `number` (digits). Raises ApiError."""
        return self._code("pairing_code", {"number": number})

    def send(self, number: str, message: str) -> bool:
        """Send a message to `number` (digits); return whether the answer says that it was, False for not known.

        Raises ApiError; then it may have been sent all the same.
        """
        return self._do("send", {"number": number, "message": message})

    def _do(self, what: str, values: Mapping[str, str] | None = None) -> bool:
        endpoint = self._endpoint(what)
        answer = self._ask(endpoint, values or {}, LARGEST_STATUS)
        if endpoint.ok and _search(endpoint.ok, _document(answer, may_be_empty=False)) is not True:
            raise ApiError(f"it answered {answer.status}, but not that it was done")
        return bool(endpoint.ok)

    def _code(self, what: str, values: Mapping[str, str]) -> str:
        endpoint = self._endpoint(what)
        found = _search(endpoint.code, _document(self._ask(endpoint, values, LONGEST_CODE)))
        return found.strip() if isinstance(found, str) else ""

    def _endpoint(self, what: str) -> Endpoint:
        found = self._endpoints.get(what)
        if found is None:
            raise Unsupported(f"bot_api has no request {what}")
        return found

    def _ask(self, endpoint: Endpoint, values: Mapping[str, str], limit: int) -> Answer:
        (came,) = send_all([self._request(endpoint, values, limit)], within=self._timeout)
        return _taken(came)

    def _request(self, endpoint: Endpoint, values: Mapping[str, str], limit: int) -> Request:
        if self._trouble:
            raise ApiError(self._trouble)
        values = {"company": self._name, **values}
        body = endpoint.body_for(values)
        headers = dict(self._headers)
        if endpoint.method != "GET":
            headers["Content-Type"] = "application/json"
        return Request(
            endpoint.method,
            self._base + endpoint.path_for(values),
            headers,
            _as_json(body) if body is not None else None,
            self._timeout,
            limit,
        )


def connections_of(apis: Sequence[BotApi], *, within: float, at_a_time: int = 1) -> list[Connection]:
    """Ask each API whether its company is connected, so many at a time and `within` seconds for all; in their order.

    Never raises: what was not asked or not answered in time is unknown.
    """
    found: dict[int, Connection] = {}
    requests: dict[int, Request] = {}
    for number, api in enumerate(apis):
        try:
            requests[number] = api.status_request()
        except ApiError as error:
            found[number] = Connection(ConnectionState.UNKNOWN, detail=str(error))
    answers = send_all(list(requests.values()), within=within, at_a_time=at_a_time)
    for number, answer in zip(requests, answers, strict=True):
        found[number] = apis[number].connection_in(answer)
    return [found[number] for number in range(len(apis))]


def _taken(answer: Answer | HttpError) -> Answer:
    if isinstance(answer, HttpError):
        raise ApiError(str(answer))
    if not answer.is_success:
        raise ApiError(_status_in_words(answer.status))
    if answer.cut:
        raise ApiError(f"its answer is longer than {len(answer.body)} bytes")
    return answer


def _as_json(body: Any) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ApiError("nothing was asked: its body would hold invalid UTF-8") from None


def _status_in_words(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}, a redirect, which is not followed: give its target as bot_api.url"
    if status in (401, 403):
        return f"it answered {status}: see bot_api.token"
    if status == 404:
        return "it answered 404: it knows no such company, or the path is another one"
    return f"it answered {status}"


def _document(answer: Answer, *, may_be_empty: bool = True) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        if not may_be_empty and not answer.body.strip():
            return {}
        raise ApiError(f"it answered {answer.status}, but not in JSON") from None


def read_connection(endpoint: Endpoint, document: Any) -> Connection:
    """Given the answer to a status request, return what it says; nothing but true counts as true."""
    found = _search(endpoint.has_qr, document)
    has_qr = found if isinstance(found, bool) else None
    user = _search(endpoint.user, document)
    masked = masked_number(user) if isinstance(user, str) and user else ""
    for state in (ConnectionState.CONNECTED, ConnectionState.CONNECTING, ConnectionState.DISCONNECTED):
        if _search(getattr(endpoint, state.value), document) is not True:
            continue
        if state is ConnectionState.CONNECTED and has_qr:
            break
        return Connection(state, has_qr, masked)
    else:
        return Connection(
            ConnectionState.UNKNOWN, has_qr, masked, "its answer does not say whether it is connected"
        )
    detail = "its answer says connected, and that a QR code waits to be scanned"
    return Connection(ConnectionState.UNKNOWN, has_qr, masked, detail)


def _search(expression: str, document: Any) -> Any:
    if not expression:
        return None
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(expression, document)
    except (JMESPathError, ValueError, TypeError, RecursionError):
        # A function that was given a value of another type: the answer is not as the expression expects.
        return None
