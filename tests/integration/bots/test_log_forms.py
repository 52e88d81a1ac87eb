"""A log tells the same whatever wrote it, shipped it or kept it, read at once or in pieces."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from baileys_tools.bots.rules.log_events import LogEvent
from tests.integration.bots.log_forms import (
    CAUSES,
    DOCS,
    FORMS,
    MARKED,
    outcomes,
    read_scene,
    table,
)
from tests.log_lines import BEGIN, EXPECTED, pino, told_once

NOW = BEGIN + timedelta(days=20)

NO_REASON = ("winston, JSON", "winston, simple and coloured", "winston, printf")
"""winston leaves out the message of an error that is a field of a record."""


def test_baileys_own_form_tells_each_cause(tmp_path):
    scenes = FORMS["pino"].scenes()
    assert {scene: read_scene(lines, tmp_path).cause for scene, lines in scenes.items()} == CAUSES


def test_every_form_tells_what_baileys_own_tells(tmp_path):
    """What is read of each scene is in the table of docs/logs.md, and nothing is read wrongly."""
    found = outcomes(tmp_path)
    for name, scenes in found.items():
        allowed = {"all", "cause"} | ({"all but why"} if name in NO_REASON else set())
        assert set(scenes.values()) <= allowed, name
    made = MARKED.search(DOCS.read_text())
    assert made is not None
    assert made[0] == table(found), "run: make docs"


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(1, 6))])
def test_a_form_that_is_read_in_pieces_tells_the_same(tmp_path, seed):
    assert outcomes(tmp_path, random.Random(seed)) == outcomes(tmp_path)


# --- mixtures -----------------------------------------------------------------------------------------------


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _quoted(line: str) -> str:
    return line.replace('"', '""')


WRAPS: dict[str, Callable[[str, datetime], str]] = {
    "none": lambda line, at: line,
    "docker": lambda line, at: json.dumps({"log": line + "\n", "stream": "stderr", "time": _iso(at)}),
    "journal": lambda line, at: json.dumps(
        {"__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1e6)), "MESSAGE": line}
    ),
    "journal, as numbers": lambda line, at: json.dumps(
        {"__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1e6)), "MESSAGE": list(line.encode())},
        separators=(",", ":"),
    ),
    "pm2": lambda line, at: json.dumps({"message": line + "\n", "timestamp": _iso(at), "type": "out"}),
    "cri": lambda line, at: f"{_iso(at)} stderr F {line}",
    "compose": lambda line, at: f"bot-1  | {line}",
    "csv": lambda line, at: f'{int(at.timestamp() * 1000)},"{_quoted(line)}"',
    "twice": lambda line, at: WRAPS["docker"](WRAPS["pm2"](line, at), at),
}


def mixture(rng: random.Random, number: int) -> tuple[list[str], Counter[tuple[str, int]]]:
    """Return lines of all kinds, each wrapped in some way, and how often each event counts in which hour.

    Written apart from the reader: each block's events are known from its making.
    """
    lines: list[str] = []
    counts = Counter[tuple[str, int]]()
    now, ended = BEGIN, ""
    for _ in range(number):
        now += timedelta(seconds=rng.choice((0, 0.001, 1, 30, 900)))
        block, events = rng.choice(list(EXPECTED.items()))
        block = block.replace(_iso(BEGIN), _iso(now))
        wrap = WRAPS[rng.choice(list(WRAPS))]
        lines.append(wrap(pino("something", now), now))
        lines += [wrap(line, now) for line in block.split("\n")]
        events, ended = told_once(events, ended, by_bot="isBoom" in block)
        counts.update((event, int(now.timestamp()) // 3600) for event in events)
    return lines, counts


@pytest.mark.parametrize("batch", range(4))
def test_any_mixture_cut_anywhere_is_counted_as_it_was_made(tmp_path, batch):
    for seed in range(batch * 10, batch * 10 + 10):
        count_a_mixture(tmp_path / "bot.log", seed, lines=40)


@pytest.mark.faults
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("batch", range(20))
def test_a_hundred_thousand_mixtures_cut_anywhere_are_counted_as_they_were_made(tmp_path, batch):
    for seed in range(1_000 + batch * 5_000, 1_000 + batch * 5_000 + 5_000):
        count_a_mixture(tmp_path / "bot.log", seed, lines=random.Random(seed).choice((2, 5, 10, 30)))


def count_a_mixture(path: Path, seed: int, lines: int) -> None:
    """Write a mixture in pieces cut anywhere, rotate it somewhere, read it after each, and compare the counts."""
    for old in path.parent.glob("bot.log*"):
        old.unlink()
    rng = random.Random(seed)
    content, expected = made(rng, lines)
    path.write_bytes(b"")
    found, memory, begin = Counter[tuple[str, int]](), read_log(str(path), LogMemory(), NOW).memory, 0
    ends = sorted({rng.randrange(1, len(content)) for _ in range(rng.randrange(8))} | {len(content)})
    is_cut, is_rotated = len(ends) > 1, False
    for end in [*ends, len(content)]:
        with path.open("ab") as file:
            file.write(content[begin:end])
        if not is_rotated and end > begin and rng.random() < 0.2:
            # In the middle of a line, and of a record.
            is_rotated = True
            os.rename(path, f"{path}.1")
            path.write_bytes(b"")
        begin = end
        done = read_log(str(path), LogMemory.from_json(memory.to_json()), NOW)
        memory = done.memory
        found.update(
            {
                (event.value, hour): count
                for (hour, event), count in done.hours.items()
                # What several lines tell together, and none by itself.
                if event is not LogEvent.SECOND_SOCKET
            }
        )
    if is_cut:
        # Lines without a time that begin a pass are of the time of that pass.
        assert by_event(found) == by_event(expected), seed
    else:
        assert found == expected, seed


def made(rng: random.Random, number: int) -> tuple[bytes, Counter[tuple[str, int]]]:
    lines, expected = mixture(rng, number)
    return "".join(line + "\n" for line in lines).encode(), expected


def by_event(counts: Counter[tuple[str, int]]) -> Counter[str]:
    sums = Counter[str]()
    for (event, _), number in counts.items():
        sums[event] += number
    return sums
