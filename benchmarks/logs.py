"""The log reader against `grep -c` with ten patterns, on mixed lines: as bots write them, in Docker's json-file, in
the journal's JSON, and by the real pino-pretty.

By itself: python -m benchmarks.logs --gigabytes 1
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.measure import COMMAND, Bench, Row, ratio_row, say
from tests.integration.bots.log_forms import docker, journal
from tests.log_lines import BEGIN, DUMP, errored, pino, stream_error, undecrypted

PATTERNS = (
    "opened connection to WA",
    "connection errored",
    "stream errored out",
    "failed to decrypt message",
    "not logged in, attempting registration",
    "connected to WA",
    "Failed to decrypt message with any known session",
    "Closing open session in favor of incoming prekey bundle",
    "sent retry receipt",
    "error in validating connection",
)
LIMIT = 1.5
WRAPPED_LIMIT = 4.0
PRETTY = Path(__file__).parents[1] / "fixtures/generate/node_modules/pino-pretty/bin.js"
MEMORY_LIMIT = 60


def mixed_lines() -> list[str]:
    """Return a bot's lines: half its own JSON, plain ones, dumps of libsignal, 2 % events."""
    rng = random.Random(1)
    lines = []
    for number in range(4_000):
        now, dice = BEGIN + timedelta(seconds=number), rng.random()
        if dice < 0.5:
            lines.append(
                pino(
                    "webhook handled", now, req={"method": "POST", "url": f"/hook/{number}"}, ms=rng.random()
                )
            )
        elif dice < 0.65:
            lines.append("2026-01-15T12:00:00: " + pino(f"recv {number} chats, {number} contacts", now))
        elif dice < 0.72:
            lines.append(DUMP)
        elif dice < 0.73:
            lines.append(
                rng.choice(
                    (pino("sent retry receipt", now, retryCount=1), undecrypted("No session record", now))
                )
            )
            lines.append("Failed to decrypt message with any known session...")
        elif dice < 0.735:
            lines.append("Closing open session in favor of incoming prekey bundle")
        elif dice < 0.736:
            lines += [stream_error(7, now, "503"), errored("Stream Errored (unknown)", now)]
            lines += [pino("connected to WA", now), pino("opened connection to WA", now)]
        else:
            lines.append(f"plain line {number} of the bot with some words about an error in an order")
    return [line for text in lines for line in text.split("\n")]


def wrapped_in(form: str, lines: list[str]) -> bytes:
    """Return lines in a form of log."""
    if form == "docker":
        lines = [docker(number, line) for number, line in enumerate(lines)]
    elif form == "journal":
        lines = [journal(number, line) for number, line in enumerate(lines)]
    content = "".join(line + "\n" for line in lines).encode()
    if form != "pretty":
        return content
    return subprocess.run(["node", PRETTY], input=content, stdout=subprocess.PIPE, check=True).stdout


def write_log(path: Path, size: int, form: str = "plain") -> None:
    """Write a log of at least `size` bytes."""
    block = wrapped_in(form, mixed_lines())
    with path.open("wb") as file:
        for _ in range(size // len(block) + 1):
            file.write(block)


def rows(bench: Bench, gigabytes: float = 0.25) -> Iterator[Row]:
    """Measure `logs`, the whole command with its start and its state, in pairs with `grep -c -F`."""
    for form in ("plain", "docker", "journal", "pretty"):
        yield from rows_of(form, bench, gigabytes)


def rows_of(form: str, bench: Bench, gigabytes: float) -> Iterator[Row]:
    """Measure one form of log."""
    log = bench.place / "bot.log"
    say(f"writing {gigabytes} GB of log, {form}")
    write_log(log, round(gigabytes * 1e9), form)
    words = [word for pattern in PATTERNS for word in ("-e", pattern)]
    # Into a file: grep stops at the first line it finds when its output is /dev/null.
    grep: list[str | Path] = ["sh", "-c", 'exec grep -c -F "$@" > counted', "sh", *words, log]
    ours, theirs = [], []
    for number in range(bench.runs):
        theirs.append(bench.run(grep))
        state = bench.place / f"log-state-{form}-{number}"
        ours.append(
            bench.run(
                [COMMAND, "logs", "--company", "1"],
                BAILEYS_TOOLS_STATE_DIR=str(state),
                BAILEYS_TOOLS_LOGS__FILES=f"1={log}",
            )
        )
    limit = LIMIT if form == "plain" else WRAPPED_LIMIT
    yield ratio_row(f"logs, {gigabytes} GB, {form} / grep -c", limit, ours, theirs)
    yield Row(
        f"logs, {gigabytes} GB, {form}",
        max(run.peak_mib for run in ours),
        MEMORY_LIMIT,
        " MiB",
        "peak memory",
    )
    log.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for row in rows(Bench(Path(place), 1, options.runs), options.gigabytes):
            print(
                f"{row.what:<42}{row.figure:>8.2f}{row.unit:<5}{row.limit:>6g}{row.unit}  {row.detail}",
                flush=True,
            )


if __name__ == "__main__":
    main()
