"""Child processes that share the work on many companies.

Threads gain nothing here, as Python runs one at a time; and this is plain `fork`, as the standard pools cost more to
import than they would save.

The queue is a pipe, filled before the first worker starts: whoever is free reads the next number, so nobody
waits for a large folder that another one works on. Results come back through one pipe per worker, each at once: a
worker that is killed takes nothing along but the item in its hands, which stands in memory that all share.
"""

import mmap
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

from baileys_tools.ending import Hold

_QUEUE_LENGTH = 1000
"""Numbers that fit into a pipe under every limit (4096 bytes), so that filling it never blocks."""

_IN_HAND = struct.Struct("=q")
_NOTHING = -1

_WIDE_PIPE = 1 << 20
"""Bytes: what every user may have by default (`/proc/sys/fs/pipe-max-size`)."""

_A_WHILE_MS = 10
"""How long results wait in their pipes for the caller, which runs on the same CPUs as the workers: woken by each of a
thousand it would take as much time from them as a hundred items do."""


class _Worker(NamedTuple):
    """A child process. It stops when `lifeline` is closed: by its parent, or by the kernel at its parent's death."""

    pid: int
    results: int
    lifeline: int


class Workers:
    """Workers on their way through `items`. Closed by `with`, which ends them."""

    def __init__(
        self,
        items: Sequence[Any],
        work: Callable[[Any], Any],
        count: int,
        failed: Callable[[Any, str], Any],
    ) -> None:
        """`failed(item, why)` stands in for a result that cannot be sent."""
        self.lost: dict[Any, str] = {}
        """The items in whose work a worker died, and how; known once closed. No other item was begun and lost."""
        self._failed = failed
        self._in_hand = mmap.mmap(-1, _IN_HAND.size * count)
        self._items = items
        self._work = work
        self._count = count
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        import pickle  # noqa: F401 - once here rather than in every worker

        queue, fill = os.pipe()
        self._step = len(self._items) // _QUEUE_LENGTH + 1
        os.write(fill, b"".join(i.to_bytes(4, "big") for i in range(0, len(self._items), self._step)))
        os.close(fill)
        try:
            # Between a fork and the note of it, a signal would leave a worker that nobody knows.
            with Hold():
                for _ in range(self._count):
                    self._start(queue)
        except OSError:
            # No more processes for us: fewer will do, and at worst the caller alone.
            pass
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.close(queue)
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._open_pipes():
            os.close(fd)
        for number, worker in enumerate(self._workers):
            how = _how_it_died(worker.pid)
            (index,) = _IN_HAND.unpack_from(self._in_hand, number * _IN_HAND.size)
            if how and index != _NOTHING:
                self.lost[self._items[index]] = how
        self._in_hand.close()

    def results(self) -> Iterator[tuple[Any, Any]]:
        """Yield each item with its result as they come. Raises what a worker raised."""
        import pickle
        import select

        unread = {worker.results: bytearray() for worker in self._workers}
        ends = select.poll()
        for pipe in unread:
            ends.register(pipe, 0)  # of what it is told at all events: that the worker has gone
        while unread:
            ends.poll(_A_WHILE_MS)
            for pipe, rest in [*unread.items()]:
                has_ended = _read_all(pipe, rest)
                for message in _whole_messages(rest):
                    content = pickle.loads(message)  # noqa: S301 - written by our own child
                    if isinstance(content, BaseException):
                        raise content
                    yield content
                if has_ended:
                    ends.unregister(pipe)
                    del unread[pipe]

    def _open_pipes(self) -> Iterator[int]:
        for worker in self._workers:
            yield worker.lifeline
            yield worker.results

    def _start(self, queue: int) -> None:
        parent, number = os.getpid(), len(self._workers)
        self._take_in_hand(number, _NOTHING)
        results, send = os.pipe()
        _widen(send)
        alive, lifeline = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                try:
                    # A pipe ends when nobody holds its other end: this worker must hold nobody else's.
                    for fd in [results, lifeline, *self._open_pipes()]:
                        os.close(fd)
                    _end_with(parent, alive)
                    self._serve(queue, send, number)
                finally:
                    os._exit(0)
        except OSError:
            os.close(results)
            os.close(lifeline)
            raise
        finally:
            os.close(send)
            os.close(alive)
        os.set_blocking(results, False)
        self._workers.append(_Worker(pid, results, lifeline))

    def _take_in_hand(self, number: int, index: int) -> None:
        _IN_HAND.pack_into(self._in_hand, number * _IN_HAND.size, index)

    def _serve(self, queue: int, results: int, number: int) -> None:
        """The life of worker `number`: work on what the queue says until it is empty."""
        import signal

        try:
            while place := os.read(queue, 4):
                first = int.from_bytes(place, "big")
                for index in range(first, min(first + self._step, len(self._items))):
                    self._take_in_hand(number, index)
                    item = self._items[index]
                    self._send_result(results, item, self._work(item))
                    self._take_in_hand(number, _NOTHING)
        except KeyboardInterrupt:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the parent
            import traceback

            # A traceback cannot be sent, and whoever mends this needs it.
            error.add_note(traceback.format_exc())
            _write(results, _message(error))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _send_result(self, results: int, item: Any, result: Any) -> None:
        try:
            message = _message((item, result))
        except MemoryError:
            message = _message((item, self._failed(item, "its result takes more memory than there is")))
        _write(results, message)


def _end_with(parent: int, alive: int) -> None:
    """Have this process stop in good order, as if by Ctrl-C, once the other end of `alive` is closed.

    The kernel signals that it can be read, and that tells of the parent's end however it came. (PR_SET_PDEATHSIG
    would be forgotten as soon as `as_owner_of` changes the user.)
    """
    import fcntl
    import signal

    def stop(signum: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what it interrupts has to be able to tidy up
        raise KeyboardInterrupt

    # What a terminal sends to all of its processes is the parent's to pass on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(alive, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    if os.getppid() != parent:
        raise KeyboardInterrupt  # it was gone before the kernel knew whom to tell


def _message(content: object) -> bytes:
    import pickle

    message = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(message).to_bytes(8, "big") + message


def _write(pipe: int, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _widen(pipe: int) -> None:
    """Have a pipe hold many large results, where the kernel lets us: a worker waits where it is full."""
    import fcntl

    with suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _WIDE_PIPE)


def _read_all(pipe: int, rest: bytearray) -> bool:
    """Read what stands in a pipe into `rest`; return whether that was its end."""
    try:
        while piece := os.read(pipe, 1 << 16):
            rest += piece
    except BlockingIOError:
        return False
    return True


def _whole_messages(unread: bytearray) -> Iterator[bytes]:
    """Take the messages that have come in whole off `unread`."""
    while len(unread) >= 8 and len(unread) >= (end := 8 + int.from_bytes(unread[:8], "big")):
        message = bytes(unread[8:end])
        del unread[:end]
        yield message


def _how_it_died(pid: int) -> str:
    """Given a worker that has come to its end or is about to, return how; nothing when it went as it should."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return ""  # whoever started us asked the system not to keep the dead
    if not os.WIFSIGNALED(status):
        return ""
    import signal

    name = signal.Signals(os.WTERMSIG(status)).name
    return f"was killed ({name}{', out of memory?' if name == 'SIGKILL' else ''})"
