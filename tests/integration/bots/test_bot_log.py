"""The reader of bots' logs: what counts as what, from where each pass goes on, and that no text leaves it."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import shutil
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from baileys_tools.bots.bot_log import scanner
from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from baileys_tools.bots.log_sources import read_source
from baileys_tools.bots.rules.log_events import LogEvent
from baileys_tools.config.log_kinds import LogFile
from tests.log_lines import (
    BEGIN,
    BOOM_AS_TEXT,
    DUMP,
    EXPECTED,
    SECRET,
    as_bytes,
    boom_as_json,
    errored,
    mixed,
    pino,
    stream_error,
)

NOW = BEGIN + timedelta(days=20)


class Log:
    """A log and a reader that goes on from where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.memory = LogMemory()
        self.counts: Counter[tuple[str, int]] = Counter()

    def write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    def read(self, now: datetime = NOW) -> int:
        # Through JSON, as the state keeps it.
        done = read_log(str(self.path), LogMemory.from_json(self.memory.to_json()), now)
        self.memory = done.memory
        self.counts.update(
            {
                (event.value, hour): count
                for (hour, event), count in done.hours.items()
                # What several lines tell together, and none by itself.
                if event is not LogEvent.SECOND_SOCKET
            }
        )
        return done.size

    def events(self) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for (event, _), count in self.counts.items():
            sums[event] += count
        return dict(sums)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "bot.log")


@pytest.mark.parametrize(("line", "events"), EXPECTED.items(), ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("prefix", ["", "2026-01-14T13:00:00: ", "0|shop  | "])
def test_each_line_counts_as_what_it_is(log, line, events, prefix):
    block = prefix + line if prefix and line.startswith(('{"level"', "Failed", "Closing open")) else line
    log.write(as_bytes([pino("before"), block, pino("after")]))
    log.read()
    assert log.events() == Counter(events)


@given(seed=st.integers(0, 10**9), data=st.data())
@hypothesis_settings(max_examples=25)
def test_any_mix_read_in_any_pieces_gives_the_counts_of_its_making(tmp_path_factory, seed, data):
    blocks, expected = mixed(random.Random(seed), 60)
    content = as_bytes(blocks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    log = Log(tmp_path_factory.mktemp("log") / "bot.log")
    log.write(b"")
    for end in cuts:
        if _cuts_a_block(blocks, end):
            continue
        log.write(content[log.path.stat().st_size : end])
        log.read()
    log.write(content[log.path.stat().st_size :])
    log.read()
    assert log.counts == expected
    assert log.read() == 0


def _cuts_a_block(blocks: list[str], end: int) -> bool:
    """Whether a pass that ends here separates lines without a time from the line before, which tells it."""
    at = 0
    for block in blocks:
        size = len(block.encode()) + 1
        if at <= end < at + size:
            return '{"level"' not in block
        at += size
    return False


def test_blocks_across_the_buffers_edge_are_seen(log, monkeypatch):
    """Everything as above, with a buffer so small that each block meets an edge somewhere."""
    monkeypatch.setattr(scanner, "BUFFER", 16_384)
    monkeypatch.setattr(scanner, "STEP", 8_192)
    blocks, expected = mixed(random.Random(7), 3_000)
    log.write(as_bytes(blocks))
    log.read()
    assert log.counts == expected


def test_a_line_without_a_time_is_of_the_hour_of_the_line_before_wherever_a_stretch_is_halved(tmp_path):
    """In one of these logs it begins the second half of a stretch of two hours."""
    later = BEGIN + timedelta(hours=1)
    first, second = (int(hour.timestamp()) // 3600 for hour in (BEGIN, later))
    opened = [pino("opened connection to WA", hour) for hour in (BEGIN, later)]
    for before in range(90, 111):
        log = Log(tmp_path / f"{before}.log")
        closing = "Closing open session in favor of incoming prekey bundle"
        log.write(as_bytes([*[opened[0]] * before, closing, *[opened[1]] * 100]))
        log.read()
        expected = {("session-replaced", first): 1, ("opened", first): before, ("opened", second): 100}
        assert log.counts == expected, before


def test_lines_ahead_of_the_first_time_of_a_new_log_are_of_no_known_hour(log):
    log.write(as_bytes(["Closing open session in favor of incoming prekey bundle", pino("something")]))
    log.read()
    assert log.events() == {}


def test_milliseconds_and_zones_are_the_same_time(log):
    log.write(as_bytes([pino("opened connection to WA", BEGIN, millis=True)]))
    log.write(pino("opened connection to WA").replace("12:00:00.000Z", "14:00:00+02:00").encode() + b"\n")
    log.read()
    assert log.counts == {("opened", int(BEGIN.timestamp()) // 3600): 2}


def test_lines_without_a_time_count_only_when_the_last_pass_was_recent(log):
    line = b"Closing open session in favor of incoming prekey bundle\n"
    log.write(line * 5)
    os.utime(log.path, (NOW.timestamp(), NOW.timestamp()))
    log.read()
    assert log.events() == {}
    log.write(line * 2)
    os.utime(log.path, (NOW.timestamp(), NOW.timestamp()))
    log.read(NOW + timedelta(minutes=5))
    assert log.counts == {("session-replaced", int(NOW.timestamp()) // 3600): 2}
    log.write(line * 2)
    log.read(NOW + timedelta(days=1))
    assert log.events() == {"session-replaced": 2}


def test_what_came_after_the_last_opening_is_kept_in_the_logs_own_order(log):
    log.write(as_bytes([stream_error(7, code="503"), pino("opened connection to WA"), errored("Timed Out")]))
    log.read()
    assert log.memory.opened == pytest.approx(BEGIN.timestamp(), abs=0.001)
    assert set(log.memory.since_opened) == {LogEvent.CLOSED, LogEvent.TIMED_OUT}
    assert all(at > log.memory.opened for at in log.memory.since_opened.values())
    log.write(as_bytes([pino("opened connection to WA", BEGIN + timedelta(seconds=1))]))
    log.read()
    assert log.memory.since_opened == {}


def test_a_refusal_that_the_bot_printed_after_an_opening_is_kept(log):
    log.write(as_bytes([boom_as_json(401), pino("opened connection to WA"), boom_as_json(403), DUMP]))
    log.read()
    assert set(log.memory.since_opened) == {LogEvent.FORBIDDEN}
    log.write(as_bytes([BOOM_AS_TEXT.format(code=405), pino("opened connection to WA"), DUMP]))
    log.read()
    assert log.memory.since_opened == {}


# --- where a pass goes on -----------------------------------------------------------------------------------

OPENED = as_bytes([pino("opened connection to WA")])


def opened(number: int, at: datetime = BEGIN) -> bytes:
    return as_bytes(pino("opened connection to WA", at + timedelta(seconds=n)) for n in range(number))


def test_nothing_is_read_twice_and_a_line_without_its_end_waits(log):
    log.write(opened(3) + OPENED[:-20])
    log.read()
    log.read()
    assert log.events() == {"opened": 3}
    log.write(OPENED[-20:])
    log.read()
    assert log.events() == {"opened": 4}


@pytest.mark.parametrize(
    "name", ["bot.log.1", "bot-20260115.log", "bot__2026-01-15_00-00-00.log", "elsewhere"]
)
def test_rotation_by_rename_loses_no_line(log, name):
    log.write(opened(3))
    log.read()
    log.write(opened(2, BEGIN + timedelta(hours=1)))
    log.path.rename(log.path.with_name(name))
    log.write(opened(4, BEGIN + timedelta(hours=2)))
    log.read()
    log.read()
    assert log.events() == {"opened": 9}


def test_rotation_by_copy_and_truncate_loses_no_line(log):
    log.write(opened(30))
    log.read()
    log.write(opened(2, BEGIN + timedelta(hours=1)))
    shutil.copy(log.path, f"{log.path}.1")
    os.truncate(log.path, 0)
    log.write(opened(4, BEGIN + timedelta(hours=2)))
    log.read()
    assert log.events() == {"opened": 36}


def test_a_truncated_log_that_grew_past_the_old_place_is_read_from_its_beginning(log):
    log.write(opened(3))
    log.read()
    os.truncate(log.path, 0)
    log.write(opened(50, BEGIN + timedelta(hours=2)))
    log.read()
    assert log.events() == {"opened": 53}


def test_a_rotated_log_that_was_compressed_is_passed_by(log):
    log.write(opened(3))
    log.read()
    log.write(opened(2, BEGIN + timedelta(hours=1)))
    with gzip.open(f"{log.path}.1.gz", "wb") as packed:
        packed.write(log.path.read_bytes())
    log.path.unlink()
    log.write(opened(4, BEGIN + timedelta(hours=2)))
    log.read()
    assert log.events() == {"opened": 7}


def test_an_older_rotated_log_is_not_taken_for_the_last_one(log):
    for part in range(4):
        log.write(opened(3, BEGIN + timedelta(hours=part)))
        log.read()
        for number in range(part, 0, -1):
            os.rename(f"{log.path}.{number}", f"{log.path}.{number + 1}")
        log.path.rename(f"{log.path}.1")
    log.write(OPENED)
    log.read()
    assert log.events() == {"opened": 13}


def test_the_first_pass_reads_the_end_of_a_long_log_only(log):
    log.write(opened(1_000))
    done = read_log(str(log.path), LogMemory(), NOW, most=10 * len(OPENED))
    assert done.hours == {(int(BEGIN.timestamp()) // 3600, LogEvent.OPENED): 10}


@pytest.mark.parametrize("moved", [False, True])
def test_however_much_came_since_only_the_end_is_read_and_this_is_said(log, moved):
    """A file with a hole in it has any size at no cost: `truncate -s 16T`."""
    log.write(OPENED * 3)
    before = read_log(str(log.path), LogMemory(), NOW)
    os.truncate(log.path, 1 << 43)
    log.write(b"\n" + opened(20))
    if moved:
        log.path.rename(f"{log.path}.1")
        log.write(OPENED)
    done = read_log(str(log.path), before.memory, NOW, most=10 * len(OPENED))
    assert sum(done.hours.values()) == 10 + moved
    end = os.stat(f"{log.path}.1" if moved else log.path).st_size
    assert done.passed_over == end - 3 * len(OPENED) - 10 * len(OPENED)
    again = read_log(str(log.path), done.memory, NOW)
    assert (again.size, again.passed_over) == (0, 0)


def test_what_is_passed_over_is_told_as_trouble(log):
    log.write(OPENED)
    log.read()
    os.truncate(log.path, 1 << 43)
    done, trouble = read_source(LogFile(str(log.path)), log.memory, NOW, most=1_000)
    assert trouble == "more came since the last look than is read at once: 8.8 TB of it are passed over"
    assert read_source(LogFile(str(log.path)), done.memory, NOW)[1] == ""


# --- what is no log -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_plain_file_is_refused_at_once(log, make):
    make(log.path)
    with pytest.raises(OSError, match="not a plain file"):
        log.read()


def test_a_fifo_beside_a_rotated_log_is_not_opened(log):
    log.write(opened(3))
    log.read()
    log.path.unlink()
    os.mkfifo(log.path.with_name("bot.log.1"))
    log.write(opened(2, BEGIN + timedelta(hours=1)))
    log.read()
    assert log.events() == {"opened": 5}


def test_a_link_to_a_log_is_followed(log, tmp_path):
    (tmp_path / "real.log").write_bytes(OPENED)
    log.path.symlink_to("real.log")
    log.read()
    assert log.events() == {"opened": 1}


def test_binary_and_endless_lines_are_passed_over_in_constant_memory(log):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    noise = random.Random(3).randbytes(1 << 20).replace(b"\n", b" ")
    with log.path.open("wb") as file:
        for _ in range(64):
            file.write(noise)
        file.write(b'"msg":"opened connection to WA"}\n' + OPENED)
        file.write(b"\n".join([b"\0" * 5000, b"\xff\xfe", b"{" * 100_000, OPENED]))
        file.write(b"no end" * 200_000)
    log.read()
    assert log.events() == {"opened": 2}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10, "in KiB"
    log.write(b"\n" + OPENED)
    log.read()
    assert log.events() == {"opened": 3}


@given(content=st.binary(max_size=3_000), more=st.binary(max_size=500))
@hypothesis_settings(max_examples=60)
def test_no_content_is_an_error(tmp_path_factory, content, more):
    log = Log(tmp_path_factory.mktemp("log") / "bot.log")
    log.write(content)
    log.read()
    log.write(more)
    log.read()
    assert log.memory.position is not None
    assert log.memory.position.offset <= log.path.stat().st_size


KEYS = st.sampled_from(["position", "since_opened", "opened", "wrote", "passed"])


@given(
    document=st.recursive(
        st.none() | st.integers() | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    )
)
@hypothesis_settings(max_examples=60)
def test_a_memory_that_is_none_counts_as_empty(document):
    LogMemory.from_json(document).to_json()


def test_no_text_of_a_log_is_remembered(log):
    blocks, _ = mixed(random.Random(1), 500)
    log.write(as_bytes(blocks))
    log.read()
    assert SECRET in log.path.read_text()
    kept = str(log.memory.to_json()) + str(log.counts)
    assert SECRET not in kept
    assert "49170" not in kept
    assert "Mac OS" not in kept


def test_times_far_off_are_not_believed(log):
    log.write(pino("opened connection to WA", datetime(2090, 1, 1, tzinfo=UTC)).encode() + b"\n")
    log.write(pino("opened connection to WA", datetime(1970, 1, 2, tzinfo=UTC)).encode() + b"\n")
    log.read()
    assert log.counts == {("opened", int(NOW.timestamp()) // 3600): 2}


# --- lines that nobody writes by accident -------------------------------------------------------------------

BEGINS = b'{"level":30,"time":"2026-01-14T12:00:00.000Z",'
UNITS = {
    "a message": b'"msg":"connected to WA"}',
    "a message that failed": b'"msg":"failed to decrypt message"}',
    "its error": b'"err":{"msg":"failed to decrypt message"}',
    "an end": b'"msg":"connection errored"}',
    "a stream error": b'"msg":"stream errored out"}',
    "words of libsignal": b"Failed to decrypt message with any known session",
    "a refusal": b"Error: Connection Failure",
    "a refusal, and half a code": b"Error: Connection Failure" + b"isBoom: true," * 100,
    "a refusal with its code": b"Error: Connection FailureisBoom: true,output: {statusCode: 401 ",
    "a refusal and a message": b'Error: Connection Failure"msg":"connected to WA"}',
    "a time": b'"time":',
    "an end in words": b" connection closed {",
    "an update": b" connection: 'close',",
    "the last line of a payload": b"  message: 'Stream Errored (conflict)'",
    "a mark of an error": b" isBoom",
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["in one line", "each in a line"])
def test_no_line_costs_more_than_its_length(tmp_path, unit, end):
    """Eight times as long, eight times as dear; what looks back along the line costs 64 times as much."""

    def cost(length: int) -> float:
        log = Log(tmp_path / f"{length}.log")
        log.write((BEGINS + (unit + end) * (length // len(unit)) + b"\n") * 2)
        began = time.process_time()
        log.read()
        return time.process_time() - began

    assert cost(200_000) < 20 * max(cost(25_000), 0.01)


def test_one_line_tells_one_thing(log):
    line = pino("opened connection to WA")
    log.write(as_bytes([line + line, line + pino("connected to WA"), line]))
    log.read()
    assert log.events() == {"opened": 3}


@pytest.mark.parametrize("between", [" ", ": ", ": Error: "])
def test_a_reason_behind_the_message_of_a_record_is_read(log, between):
    """As winston writes an error that it gets beside a message."""
    for number, reason in enumerate(("Bad MAC", "No session record", "of another kind")):
        message = f"failed to decrypt message{between}{reason}"
        record = {"level": "error", "message": message, "timestamp": f"2026-01-15T11:0{number}:00.000Z"}
        log.write(as_bytes([json.dumps(record)]))
    log.read()
    assert log.events() == {"bad-mac": 1, "no-session": 1}


def test_a_code_belongs_to_the_last_error_before_it(log):
    log.write(as_bytes([pino("before"), "Error: Connection Failure", BOOM_AS_TEXT.format(code=401)]))
    log.read()
    assert log.events() == {"closed": 2, "failure": 1, "unauthorized": 1}
