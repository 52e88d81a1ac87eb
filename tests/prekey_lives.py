"""Lives of a bot, as far as its pre-keys go: what lies on disk after them, and what the server still hands out.

The client's side is that of `Socket/socket.js` (`uploadPreKeysToServerIfRequired`, `uploadPreKeys`) of both versions.
How the server hands out is not known, so every life is led with four of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from baileys_tools.sessions.rules.prekeys import (
    PAIRING_BATCH,
    TOP_UP,
    UPLOAD_BATCH,
    PreKeyPool,
    ServerPreKeys,
)

DAY = 86_400.0
NEVER_USED = 0.15
"""Of pre-keys that are handed out, how many no message ever names."""


class Server(StrEnum):
    """Which pre-key the server hands out next, and what an upload does to those it has."""

    OLDEST = "oldest first"
    NEWEST = "newest first"
    RANDOM = "random"
    REPLACES = "each upload replaces"


@dataclass
class Bot:
    """A bot and its server. `version_7` uploads five at a time, 6 thirty."""

    server: Server
    version_7: bool = True
    first_upload: int = PAIRING_BATCH
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    now: float = 1_700_000_000.0
    next_id: int = 1
    offered: list[int] = field(default_factory=list)
    written: dict[int, float] = field(default_factory=dict)
    said: ServerPreKeys | None = None
    """What the log of the last login has."""

    def upload(self, count: int) -> None:
        """Make new pre-keys, all at once, and give them to the server."""
        ids = list(range(self.next_id, self.next_id + count))
        self.next_id += count
        order = self.chance.sample(ids, len(ids))
        self.written |= {pre_key_id: self.now + 0.0001 * at for at, pre_key_id in enumerate(order)}
        self.offered = ids if self.server is Server.REPLACES else self.offered + ids

    def hear(self, number: int) -> None:
        """The server says how many it has, and the bot writes that into its log."""
        self.said = ServerPreKeys(number, datetime.fromtimestamp(self.now, UTC))

    def log_in(self) -> None:
        """Connect: upload when the server has run low, or, on 7, when the newest pre-key is gone."""
        self.now += self.chance.uniform(0.2, 1.8) * DAY
        self.hear(len(self.offered))
        if self.version_7:
            if not self.offered:
                self.upload(self.first_upload)
            elif len(self.offered) <= TOP_UP or self.next_id - 1 not in self.written:
                self.upload(TOP_UP)
        elif len(self.offered) <= TOP_UP:
            self.upload(UPLOAD_BATCH)

    def hand_out(self, times: int = 1, *, online: bool = True) -> None:
        """New chats: each takes a pre-key from the server; most then use it up. The server tells when it runs low."""
        for _ in range(times):
            if not self.offered:
                return
            at = {Server.OLDEST: 0, Server.NEWEST: -1}.get(
                self.server, self.chance.randrange(len(self.offered))
            )
            taken = self.offered.pop(at)
            if self.chance.random() >= NEVER_USED:
                self.written.pop(taken, None)
            self.now += 3_000
            if online and len(self.offered) < TOP_UP:
                self.upload(TOP_UP if self.version_7 else UPLOAD_BATCH)

    def ask_again(self, times: int = 1) -> None:
        """Retry receipts that nobody answers: each makes a pre-key that no server ever gets."""
        for _ in range(times):
            self.now += 60
            self.written[self.next_id] = self.now
            self.next_id += 1

    def is_asked_again(self, times: int, answered: float) -> None:
        """Retry receipts over days, of which a share is answered, between a few new chats and logins."""
        for _ in range(times):
            self.now += 600
            if self.chance.random() >= answered:
                self.written[self.next_id] = self.now
            self.next_id += 1
            if self.chance.random() < 0.1:
                self.hand_out()
            if self.chance.random() < 0.1:
                self.log_in()

    def top_up(self, times: int, held: int = 30) -> None:
        """Connect again and again to a server that says it has five or fewer, and holds the newest few."""
        for _ in range(times):
            self.now += 1_800
            self.hear(TOP_UP)
            self.upload(TOP_UP)
            self.offered = self.offered[-held:]

    def live(self, chats: int, *, asks_again: int = 0) -> None:
        """Live on: a login for every few new chats."""
        for done in range(chats):
            self.hand_out()
            if done % 4 == 0:
                self.log_in()
                if asks_again and done % 24 == 0:
                    self.ask_again(asks_again)

    def pool(self, *, times: bool = True, log: bool = False) -> PreKeyPool:
        """What a cleanup sees. Without `times`, as after a copy that lost them; with `log`, the server's own count, as
        its log had it at the last login, before the upload that came of it."""
        written = {i: int(at * 1e9) for i, at in self.written.items()} if times else {}
        said = self.said if log else None
        return PreKeyPool(sorted(self.written), self.next_id, self.next_id, self.version_7, written, said)


Life = Callable[[Server], Bot]


def fresh(size: int, handed_out: int = 0, *, asked_again: int = 0) -> Life:
    def lead(server: Server) -> Bot:
        bot = Bot(server, first_upload=size)
        bot.log_in()
        bot.hand_out(handed_out)
        bot.ask_again(asked_again)
        return bot

    return lead


def topped_up(times: int, *, size: int = PAIRING_BATCH) -> Life:
    def lead(server: Server) -> Bot:
        bot = Bot(server, first_upload=size)
        bot.log_in()
        bot.hand_out(40)
        bot.top_up(times)
        return bot

    return lead


def ran_dry(handed_out: int) -> Life:
    def lead(server: Server) -> Bot:
        bot = Bot(server)
        bot.log_in()
        bot.hand_out(PAIRING_BATCH, online=False)
        bot.log_in()
        bot.hand_out(handed_out)
        return bot

    return lead


def long_life(chats: int, *, version_7: bool, asked_again: int = 0, asks_again: int = 0) -> Life:
    def lead(server: Server) -> Bot:
        bot = Bot(server, version_7=version_7)
        bot.log_in()
        bot.live(chats, asks_again=asks_again)
        bot.ask_again(asked_again)
        return bot

    return lead


LIVES: dict[str, Life] = {
    "fresh 812": fresh(812, 32),
    "fresh 200": fresh(200, 10),
    "fresh 50": fresh(50, 3),
    "812, half handed out": fresh(812, 406),
    "812, 600 handed out": fresh(812, 600),
    "812, 700 handed out": fresh(812, 700),
    "812, 750 handed out": fresh(812, 750),
    "200, half handed out": fresh(200, 100),
    "812, then 60 unanswered retry receipts": fresh(812, 32, asked_again=60),
    "812, 600 handed out, 60 unanswered": fresh(812, 600, asked_again=60),
    "ran dry, 812 again, 680 handed out": ran_dry(680),
    "ran dry, 812 again, 600 handed out": ran_dry(600),
    "300 top-ups": topped_up(300),
    "1,200 top-ups": topped_up(1_200),
    "1,200 top-ups after 50": topped_up(1_200, size=50),
    "long life of 7": long_life(1_500, version_7=True),
    "long life of 7, 60 unanswered": long_life(1_500, version_7=True, asked_again=60),
    "long life of 6": long_life(1_500, version_7=False),
    "long life of 6, 60 unanswered": long_life(1_500, version_7=False, asked_again=60),
    "6, 30 unanswered for each upload": long_life(1_500, version_7=False, asks_again=30),
}
