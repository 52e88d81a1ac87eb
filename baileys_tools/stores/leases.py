"""Leases in Redis: held as long as the run lives, and lost with it; a bot's own are asked for, and never taken."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from baileys_tools.ending import start_aside
from baileys_tools.stores.cells import StoreLocked, StoreTrouble

LEASE_MS = 60_000
"""How long the lease of a run stands that was killed. A living one renews it three times in that time."""

FAZER = "@baileys-api:connections:"
"""What all keys of sessions of fazer's begin with."""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_RENEW = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('PEXPIRE', KEYS[1], ARGV[2])"

Run = Callable[..., Any]

LOST = (
    "the lease on this session ran out before it was renewed, so another run may be at work: what was not changed yet "
    "stays as it is. Run it again"
)
TAKEN = (
    "another worker of the bot has taken this session over meanwhile: what was not changed yet stays as it is. "
    "Run it again"
)


def said_by_change(words: str) -> str:
    """Given what a script of ours was answered, return it in words."""
    return {"LOST": LOST, "TAKEN": TAKEN}.get(words.partition(" ")[0], words)


def workers_key(tenant: str) -> str:
    """Return where fazer's worker that has a session's socket says so (its cluster/leaseStore.ts)."""
    return f"@baileys-api:cluster:lease:{tenant}"


@contextmanager
def held(run: Run, key: str, value: str, taken: str) -> Iterator[None]:
    """Hold a lease for the length of a `with`, renewed by itself. `run` runs a command of Redis.

    Raises StoreLocked with the text `taken` where somebody holds it, StoreTrouble.
    """
    try:
        is_ours = run("SET", key, value, "NX", "PX", LEASE_MS)
    except StoreTrouble:
        # The answer is lost, and the lease may stand: the next run would wait for a minute for nobody.
        _give_back(run, key, value)
        raise
    if not is_ours:
        raise StoreLocked(taken)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(LEASE_MS / 3000):
            # Whoever changes something is told that it was lost; here the next try may succeed.
            with suppress(StoreTrouble):
                run("EVAL", _RENEW, 1, key, value, LEASE_MS)

    renewing = start_aside(renew)
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        _give_back(run, key, value)


def _give_back(run: Run, key: str, value: str) -> None:
    with suppress(StoreTrouble):
        run("EVAL", _RELEASE, 1, key, value)


def claim_of(run: Run, tenant: str) -> str:
    """Return the text of a lease of fazer's that a run of ours may hold: a worker then claims nothing. The epoch rises
    with each owner, as its workers count it."""
    epoch = run("INCR", f"@baileys-api:cluster:lease-epoch:{tenant}")
    return json.dumps({"owner": f"baileys-tools-{secrets.token_hex(8)}", "epoch": epoch})
