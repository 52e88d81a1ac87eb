"""Session folders by the thousand, for measuring: the mix of kinds that a bot has after half a year.

Each company has 200 files, of which the default policy removes 40. What the policy removes can be said as a
`find` expression too (`FIND_REMOVABLE`), so the two can be compared on the same files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FILES_PER_COMPANY = 200
REMOVABLE_PER_COMPANY = 40
HOUR = 3600
DAY = 24 * HOUR

FIND_REMOVABLE = [
    *("(", "-name", "session-*", "-mtime", "+13"),
    *("-o", "-name", "sender-key-*", "-mtime", "+2"),
    *("-o", "-name", "pre-key-*", "-mtime", "+89", ")"),
]

BOT_PHONE = "919585510685"
BOT_LID = "270996591579169"
PRE_KEYS = 60
PRE_KEYS_KEPT = 50
PRE_KEY_STEP = 7  # after a long life one id in seven is left


class KeyFile(NamedTuple):
    """One file of a session folder; `removable` by the default policy."""

    name: str
    age_seconds: int
    content: bytes
    removable: bool


SESSION = json.dumps(
    {"_sessions": {"key": {"indexInfo": {"used": 1, "created": 1}, "chain": "x" * 1200}}}
).encode()
SENDER_KEY = json.dumps({"type": "Buffer", "data": "x" * 900}).encode()
PRE_KEY = json.dumps({"private": {"type": "Buffer", "data": "x" * 44}, "public": {"type": "Buffer"}}).encode()
SMALL = b'{"type":"Buffer","data":"eHh4eHh4"}'
PAIR = {"private": {"type": "Buffer", "data": "x" * 44}, "public": {"type": "Buffer", "data": "x" * 44}}
CREDS = json.dumps(
    {
        "noiseKey": PAIR,
        "signedIdentityKey": PAIR,
        "signedPreKey": {"keyPair": PAIR, "signature": PAIR["public"], "keyId": 1},
        "registrationId": 117,
        "advSecretKey": "YWR2",
        "nextPreKeyId": PRE_KEYS * PRE_KEY_STEP + 1,
        "firstUnuploadedPreKeyId": PRE_KEYS * PRE_KEY_STEP + 1,
        "me": {"id": f"{BOT_PHONE}:17@s.whatsapp.net", "lid": f"{BOT_LID}:17@lid"},
        "account": {"details": "ZGV0YWlscw=="},
    }
).encode()


def company_files(company: int) -> Iterator[KeyFile]:
    """The 200 files of company number `company`: 10 + 18 + 8 + 4 of them removable."""
    contact = 4_917_000_000_000 + company * 1000
    # Of one login there is one folder.
    yield KeyFile("creds.json", HOUR, CREDS.replace(b": 117,", b": %d," % (company % 16_380 + 1)), False)
    for index in range(3):
        yield KeyFile(f"app-state-sync-key-AAAAAB{index}_.json", 180 * DAY, SMALL, False)
    for collection in ("critical_block", "critical_unblock_low", "regular_high", "regular_low", "regular"):
        yield KeyFile(f"app-state-sync-version-{collection}.json", DAY, SMALL, False)
    for index in range(1, PRE_KEYS + 1):
        old = index <= PRE_KEYS - PRE_KEYS_KEPT
        yield KeyFile(f"pre-key-{index * PRE_KEY_STEP}.json", (120 if old else 60) * DAY, PRE_KEY, old)
    for index in range(60):
        old = index < 18
        yield KeyFile(f"session-{contact + index}.0.json", (20 if old else 5) * DAY, SESSION, old)
    for index in range(30):
        old = index < 8
        name = f"sender-key-1203630{company:05}{index % 5}@g.us--{contact + index}--0.json"
        yield KeyFile(name, 5 * DAY if old else 12 * HOUR, SENDER_KEY, old)
    for index in range(4):
        old = index < 2
        group = f"1203630{company:05}{index}@g.us"
        age = 5 * DAY if old else 12 * HOUR
        yield KeyFile(f"sender-key-{group}--{BOT_PHONE}--17.json", age, SENDER_KEY, old)
        yield KeyFile(f"sender-key-memory-{group}.json", age, SMALL, old)
    for index in range(8):
        lid = 270_000_000_000_000 + contact + index
        yield KeyFile(f"lid-mapping-{contact + index}.json", 90 * DAY, SMALL, False)
        yield KeyFile(f"lid-mapping-{lid}_reverse.json", 90 * DAY, SMALL, False)
        yield KeyFile(f"device-list-{contact + index}.json", DAY, SMALL, False)
    for index in range(5):
        yield KeyFile(f"identity-key-{contact + index}.0.json", 90 * DAY, SMALL, False)
    for index in range(4):
        yield KeyFile(f"tctoken-{contact + index}@s.whatsapp.net.json", 6 * DAY, SMALL, False)


def crowded_files(count: int) -> Iterator[KeyFile]:
    """`count` files of one company that nobody ever cleaned: sessions and sender-keys, half of them old."""
    yield KeyFile("creds.json", HOUR, CREDS, False)
    for index in range(count - 1):
        old = index % 4 < 2
        if index % 2:
            yield KeyFile(f"session-{4_917_000_000_000 + index}.0.json", (20 if old else 5) * DAY, SMALL, old)
        else:
            name = f"sender-key-120363000000000@g.us--{4_917_000_000_000 + index}--0.json"
            yield KeyFile(name, 5 * DAY if old else 12 * HOUR, SMALL, old)


@dataclass(frozen=True, slots=True)
class Tree:
    """Companies below `root`; ages are relative to `now` (seconds since the epoch), when it was built."""

    root: Path
    companies: int
    now: float

    def folder(self, company: int) -> Path:
        return self.root / f"company_{1000 + company}"

    def restore(self) -> None:
        """Bring back what a cleanup removed, and take away what the tool left."""
        for company in range(self.companies):
            folder = self.folder(company)
            shutil.rmtree(folder / ".baileys-tools", ignore_errors=True)
            (folder / ".cleanup.lock").unlink(missing_ok=True)
            write_files(folder, (file for file in company_files(company) if file.removable), self.now)

    def count_files(self) -> int:
        """How many key files stand in the session folders."""
        return sum(name.endswith(".json") for folder in self.root.iterdir() for name in os.listdir(folder))


def build(root: Path, companies: int, now: float) -> Tree:
    tree = Tree(root, companies, now)
    for company in range(companies):
        folder = tree.folder(company)
        folder.mkdir(parents=True)
        write_files(folder, company_files(company), now)
    return tree


def write_files(folder: Path, files: Iterator[KeyFile], now: float) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for file in files:
            descriptor = os.open(file.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=handle)
            os.write(descriptor, file.content)
            os.utime(descriptor, (now - file.age_seconds, now - file.age_seconds))
            os.close(descriptor)
    finally:
        os.close(handle)
