"""What a bot's log tells: the events that Baileys and libsignal write down, as counts and times, never as text.

The grammar that finds them is in `bots/bot_log/`; docs/logs.md has the table.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self

from baileys_tools.sessions.rules.prekeys import ServerPreKeys

ASKED_AGAIN = ("recv retry request", "will not send message again, as sent too many times")
"""What is written when somebody asks for a message of the bot again, at level debug and info
(`baileys/lib/Socket/messages-recv.js`): the second where the bot gives up. They are not counted."""


class LogEvent(StrEnum):
    """One kind of event. The values are kept in the state and printed, so they never change."""

    ATTEMPTED = "attempted"
    """The server was reached and the handshake begins (`connected to WA`)."""
    OPENED = "opened"
    REGISTERING = "registering"
    """The bot starts without an account and asks for a new one: its QR code waits to be scanned."""
    PAIRED = "paired"

    CLOSED = "closed"
    """A connection or an attempt ended with an error, whatever the reason. Each has one of the reasons below, too."""

    RESTART_REQUIRED = "restart-required"
    DEVICE_REMOVED = "device-removed"
    LOGGED_OUT = "logged-out"
    """Logged out in as many words, by the bot's own code (`Intentional Logout`) or by the server (`Logged Out`)."""
    UNAUTHORIZED = "unauthorized"
    """401 without a word about the device."""
    FORBIDDEN = "forbidden"
    OUTDATED = "outdated"
    REPLACED = "replaced"
    UNAVAILABLE = "unavailable"
    STREAM_ERROR = "stream-error"
    """A stream error with another code; Baileys calls all of them 500, bad session."""
    FAILURE = "failure"
    """The server refused the login. The log does not have its code: 401, 403, 405 and others look alike."""
    REFUSED = "refused"
    """The server could not be reached: refused, no route, no name, no TLS."""
    TERMINATED = "terminated"
    LOST = "lost"
    """A ping stayed without an answer."""
    TIMED_OUT = "timed-out"
    QR_ENDED = "qr-ended"
    OTHER = "other"

    NO_SESSION = "no-session"
    NO_MATCHING_SESSION = "no-matching-session"
    NO_PRE_KEY = "no-pre-key"
    NO_SENDER_KEY = "no-sender-key"
    OLD_COUNTER = "old-counter"
    USED_KEY = "used-key"
    BAD_MAC = "bad-mac"
    NOT_DECRYPTED = "not-decrypted"
    """A message could not be read for another reason."""
    LIBSIGNAL_FAILED = "libsignal-failed"
    """libsignal tried all sessions of a message in vain. Baileys writes a line of its own about the same message."""
    SESSION_REPLACED = "session-replaced"
    """`Closing open session in favor of incoming prekey bundle`: a contact began anew."""
    RETRY_ASKED = "retry-asked"
    PRE_KEYS_NOT_UPLOADED = "pre-keys-not-uploaded"
    SECOND_SOCKET = "second-socket"
    """One process opened a second connection, and its first one was taken over (440) right after."""


CLOSE_REASONS = (
    LogEvent.RESTART_REQUIRED,
    LogEvent.DEVICE_REMOVED,
    LogEvent.LOGGED_OUT,
    LogEvent.UNAUTHORIZED,
    LogEvent.FORBIDDEN,
    LogEvent.OUTDATED,
    LogEvent.REPLACED,
    LogEvent.UNAVAILABLE,
    LogEvent.STREAM_ERROR,
    LogEvent.FAILURE,
    LogEvent.REFUSED,
    LogEvent.TERMINATED,
    LogEvent.LOST,
    LogEvent.TIMED_OUT,
    LogEvent.QR_ENDED,
    LogEvent.OTHER,
)
"""Why a connection ended (`baileys/lib/Types/index.js: DisconnectReason`)."""

DECRYPT_FAILURES = (
    LogEvent.NO_SESSION,
    LogEvent.NO_MATCHING_SESSION,
    LogEvent.NO_PRE_KEY,
    LogEvent.NO_SENDER_KEY,
    LogEvent.OLD_COUNTER,
    LogEvent.USED_KEY,
    LogEvent.BAD_MAC,
    LogEvent.NOT_DECRYPTED,
)
"""Why a message could not be read (`failed to decrypt message`), one for each message and try."""


SHOWS_LIFE_WITHIN = timedelta(minutes=5)
"""A bot that lost its connection tries again or gives up within this; each try leaves a line, but for one that the
server answers with an HTTP error (`baileys/lib/Socket/Client/websocket.js` passes `unexpected-response` to nobody)."""
DRAINS_WITHIN = timedelta(minutes=1)
"""Messages that came before an end may be told of a moment after it."""


class Understood(NamedTuple):
    """How many lines of a log told something lately, and how many spoke of Baileys in which form that is not read."""

    lines: int = 0
    unread: Mapping[str, int] = {}

    @property
    def not_read(self) -> int:
        """All lines that speak of Baileys in a form that is not read."""
        return sum(self.unread.values())


class LogFacts(NamedTuple):
    """What is known of a company's logs at one moment.

    `read` is false where no log is configured or none could be read. `last_line` is when the bot last wrote anything,
    `opened` when it last logged that the connection was open, `since_opened` when each event last happened after that
    (since the beginning, when it never opened). `recent` counts events of the last 24 hours, `lately` those of the
    last one to two hours. `longest_quiet` is the longest time in the days before without a line, None while too little
    is known.

    `unsure` are those of `since_opened` whose line has no time: theirs is the latest that it can be. `undated` counts
    the events without a time, which no other count has. `life` is when a line last showed that the bot got a message
    or was let in.
    """

    read: bool = False
    last_line: datetime | None = None
    opened: datetime | None = None
    since_opened: Mapping[LogEvent, datetime] = {}
    recent: Mapping[LogEvent, int] = {}
    longest_quiet: timedelta | None = None
    lately: Mapping[LogEvent, int] = {}
    unsure: frozenset[LogEvent] = frozenset()
    undated: Mapping[LogEvent, int] = {}
    server_pre_keys: ServerPreKeys | None = None
    life: datetime | None = None

    @property
    def shows_connections(self) -> bool:
        """Whether it can be read, and has ever shown an opening, an attempt or an end.

        A bot that logs errors alone shows none, nor does a file that was begun after the last of them.
        """
        shown = self.opened is not None or {LogEvent.ATTEMPTED, LogEvent.CLOSED} & self.since_opened.keys()
        return self.read and bool(shown)

    def after(self, moment: datetime) -> Self:
        """Return what is left of them when all that was up to `moment` is over."""
        return self._replace(
            opened=self.opened if self.opened is not None and self.opened > moment else None,
            since_opened={event: at for event, at in self.since_opened.items() if at > moment},
        )

    def outlived(self) -> Self:
        """Return what is left of them when what was said before the last sign of life is over.

        A login that was removed gets no message any more, and a connection that ended none before the next one.
        """
        if self.life is None:
            return self
        bound = self.life - DRAINS_WITHIN
        since = {
            event: at
            for event, at in self.since_opened.items()
            if at > bound or event not in (*CLOSE_REASONS, LogEvent.CLOSED, LogEvent.REGISTERING)
        }
        return self._replace(since_opened=since)


class HourCount(NamedTuple):
    """An event happened `number` times in the hour that began at `hour`."""

    hour: datetime
    event: LogEvent
    number: int


def reconnects_in(counts: Mapping[LogEvent, int]) -> int:
    """Given the counts of a time, return how often a connection had to be opened again.

    Every opening but those that belong to a pairing, which always needs two. The one of a bot's very first start
    cannot be told from the others, and counts.
    """
    return max(0, counts.get(LogEvent.OPENED, 0) - counts.get(LogEvent.PAIRED, 0))


def failed_attempts_in(counts: Mapping[LogEvent, int]) -> int:
    """Given the counts of a time, return how many connections and attempts ended with an error.

    The restart that the server asks for after a pairing is none.
    """
    normal = min(counts.get(LogEvent.RESTART_REQUIRED, 0), counts.get(LogEvent.PAIRED, 0))
    return max(0, counts.get(LogEvent.CLOSED, 0) - normal)


def summed(hours: Iterable[HourCount]) -> dict[LogEvent, int]:
    sums: dict[LogEvent, int] = {}
    for one in hours:
        sums[one.event] = sums.get(one.event, 0) + one.number
    return sums


def is_overruled(connection: str, log: LogFacts, at: datetime, now: datetime) -> bool:
    """Whether the API says connected, and what the log said at a moment is no newer than that.

    Its word of now goes before a line of yesterday, and before any where the log could not have shown an opening.
    """
    if connection != "connected":
        return False
    shows_none = log.opened is None and LogEvent.ATTEMPTED not in log.since_opened
    return shows_none or now - at > SHOWS_LIFE_WITHIN
