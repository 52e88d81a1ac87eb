"""What is known to be where: which snapshots each place of copies has, remembered beside the repository."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from baileys_tools.kernel_lock import take_now
from baileys_tools.owner import as_owner_of
from baileys_tools.parsing import parse_json
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.snapshot_names import PARTIAL_PREFIX

STATE = "copies.json"
_LARGEST_STATE = 64 << 20
_MOST_MEMORY = 512 << 20

Known = dict[str, set[str]]
"""The files that a place is known to have, by company."""


class Memory(NamedTuple):
    """What is remembered of a place, and when it was last listed whole (seconds since 1970)."""

    known: Known
    listed_at: float


def read_memory(repository: Repository) -> dict[str, Memory]:
    """Return what is remembered of each place; nothing where that cannot be read."""
    try:
        fd = os.open(STATE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=repository.fd)
        with open(fd, "rb") as file:
            document = parse_json(file.read(_LARGEST_STATE), _MOST_MEMORY)
        listed = document.get("listed_at", {})
        return {
            target: Memory(
                {company: set(files) for company, files in companies.items()}, float(listed.get(target, 0))
            )
            for target, companies in document["targets"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return {}


def write_memory(repository: Repository, state: Mapping[str, Memory]) -> None:
    """Remember that of each place. Raises OSError."""
    document = {
        "version": 1,
        "targets": {
            target: {company: sorted(files) for company, files in memory.known.items()}
            for target, memory in state.items()
        },
        "listed_at": {target: memory.listed_at for target, memory in state.items()},
    }
    temporary = f"{PARTIAL_PREFIX}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with as_owner_of(repository.fd):
        fd = os.open(temporary, flags, 0o600, dir_fd=repository.fd)
    try:
        with open(fd, "wb") as file:
            file.write(json.dumps(document).encode())
        os.rename(temporary, STATE, src_dir_fd=repository.fd, dst_dir_fd=repository.fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=repository.fd)
        raise


@contextmanager
def copying_alone(repository: Repository) -> Iterator[bool]:
    """Yield whether this process is the only one that copies: a second one would send the same again."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=repository.fd)
    try:
        yield take_now(fd)
    finally:
        os.close(fd)
