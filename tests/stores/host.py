"""A host of its own, as far as the network goes, and what runs on it: `python -m tests.stores.host VERB LEASE_MS ...`.

`host SOCKET PORT`, in a network namespace, brings loopback up, has what stands behind SOCKET answer on PORT of it, and
starts the workers that its input names, a JSON list of words a line. It ends when its input and all of them have ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores import leases
from baileys_tools.stores.cells import StoreLocked
from baileys_tools.stores.opening import open_store
from tests.stores.lines import pass_on

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


def host(way_out: str, port: int) -> None:
    """Be a host until the input ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        (flags,) = struct.unpack_from("h", fcntl.ioctl(one, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0)), 16)
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(way_out)
        return server

    listener = socket.create_server(("127.0.0.1", port), backlog=100)
    over = threading.Event()
    threading.Thread(target=pass_on, args=(listener, connect, over), daemon=True).start()
    words = [sys.executable, "-m", "tests.stores.host"]
    workers = [subprocess.Popen([*words, *json.loads(line)], stdin=subprocess.DEVNULL) for line in sys.stdin]
    code = max(abs(one.wait()) for one in workers)
    over.set()
    sys.exit(code)


def compete(url: str, preset: str, tenants: list[str], rounds: int, place: str) -> None:
    """Take the locks of sessions in any order, and say that nobody else holds one by a file that only one can make."""
    store, held, refused = open_store(StoreSpec(url, preset)), 0, 0
    dice = random.Random(os.getpid())
    for _ in range(rounds):
        for tenant in dice.sample(tenants, len(tenants)):
            try:
                with store.locked(tenant):
                    os.close(os.open(f"{place}/{tenant}", os.O_CREAT | os.O_EXCL))
                    time.sleep(dice.random() / 100)
                    store.require_held(tenant)
                    os.unlink(f"{place}/{tenant}")
                    held += 1
            except StoreLocked:
                refused += 1
    print(held, refused, flush=True)


def hold(url: str, preset: str, tenant: str) -> None:
    """Hold a session until killed."""
    with open_store(StoreSpec(url, preset)).locked(tenant):
        print("held", flush=True)
        time.sleep(600)


def wait(url: str, preset: str, tenant: str) -> None:
    """Take the lock of a session as soon as it is free. Print that it was not at first, and how often and for how many
    seconds it was not."""
    store, began, refused = open_store(StoreSpec(url, preset)), time.monotonic(), 0
    while True:
        try:
            with store.locked(tenant):
                print(refused, round(time.monotonic() - began, 2), flush=True)
                return
        except StoreLocked:
            if not refused:
                print("refused", flush=True)
            refused += 1
            time.sleep(0.05)


def main(verb: str, lease_ms: str, *words: str) -> None:
    leases.LEASE_MS = int(lease_ms)
    if verb == "host":
        host(words[0], int(words[1]))
    elif verb == "compete":
        compete(words[0], words[1], words[2].split(","), int(words[3]), words[4])
    else:
        {"hold": hold, "wait": wait}[verb](*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
