"""How a command ends before its time: a signal is a request, and is met where the command can end well.

`listen` once, at the start. From then on SIGINT, SIGTERM and SIGHUP raise `BrokenOff` where the command is, in a wait
as anywhere else: all that is done to a folder may be killed at any instant, so every place is a good one. But for a
`Hold`: while one is taken, the signal waits for the last one to be dropped.

    with Hold("the bot is started again first"):
        stop(); mend(); start()

Only the first signal counts, so that nothing that is tidied up after it is cut off by the next. The third of a kind
kills, as the last word has the operator.
"""

# The half in C: the enums around it are a millisecond of every start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from baileys_tools.errors import ExitCode

if TYPE_CHECKING:
    from threading import Thread

SIGNALS: dict[int, ExitCode] = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HUNG_UP,
}
"""What ends a command, and its exit code then: 128 and the number, as a shell says it of one that was killed."""

KILLS = 3
"""So many of one signal end the process at once, whatever it is about."""


CHANGING = frozenset({"__set_name__", "__del__"})
"""Methods that Python calls by itself: what the first raises, as the members of each Enum do while their module is
imported, comes out of Python 3.11 as a RuntimeError, an ordinary failure; what the second raises is dropped."""

A_MOMENT = 0.005
"""Seconds after which such a place is left, most likely; else it is tried again."""


class BrokenOff(BaseException):
    """A signal ended the command. No KeyboardInterrupt: libraries have their own mind about what that means."""

    def __init__(self, number: int) -> None:
        from signal import Signals

        self.exit_code = SIGNALS[number]
        """The documented exit code."""
        super().__init__(Signals(number).name)


class _Requests:
    """What came, and what it has to wait for: one for the process, as signals are."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.is_met = False
        """Once it is raised, no other is."""
        self.came = dict.fromkeys(SIGNALS, 0)
        self.holds: list[Hold] = []
        self.last_words: list[str] = []


_requests = _Requests()


def listen() -> None:
    """Have signals end this process as this module says. What it was started to ignore (nohup) stays ignored."""
    sys.unraisablehook = _on_unraisable
    signal.signal(signal.SIGALRM, _on_alarm)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _requests.came[number] += 1
    if _requests.came[number] >= KILLS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    if _requests.first is not None:
        return
    _requests.first = number
    if not _requests.holds:
        _meet_in(frame)
    for hold in _requests.holds[-1:]:
        hold.say(str(BrokenOff(number)))


def _meet_in(frame: FrameType | None) -> None:
    """Raise BrokenOff as `meet` does; a moment later where `frame` is code whose exceptions Python changes or drops."""
    while frame is not None:
        if frame.f_code.co_name in CHANGING:
            signal.setitimer(signal.ITIMER_REAL, A_MOMENT)
            return
        frame = frame.f_back
    meet()


def _on_alarm(number: int, frame: FrameType | None) -> None:
    _meet_in(frame)


def _on_unraisable(dropped: "sys.UnraisableHookArgs") -> None:
    """What Python drops in a callback of a weak reference, which has no name to be known by, is raised again."""
    if isinstance(dropped.exc_value, BrokenOff):
        _requests.is_met = False
        signal.setitimer(signal.ITIMER_REAL, A_MOMENT)
    else:
        sys.__unraisablehook__(dropped)


def meet() -> None:
    """Raise BrokenOff if a signal waits to be met and nothing holds it."""
    if _requests.first is None or _requests.is_met or _requests.holds:
        return
    _requests.is_met = True
    raise BrokenOff(_requests.first)


def waiting() -> BrokenOff | None:
    """Return the signal that has come and waits to be met, None for none."""
    return None if _requests.first is None or _requests.is_met else BrokenOff(_requests.first)


def start_aside(work: Callable[[], None]) -> "Thread":
    """Start a thread that ends with the process at the latest. No signal is met before it runs: until then Python waits
    by a Condition, and what is raised between the release of its lock and the wait comes out as a RuntimeError.

    For the same reason the main thread waits for no Future, Event or Condition, but for `join` or a plain lock.
    """
    from threading import Thread, current_thread, main_thread

    thread = Thread(target=work, daemon=True)
    if current_thread() is not main_thread():
        thread.start()  # signals are met in the main thread alone
        return thread
    with Hold():
        thread.start()
    return thread


class Hold:
    """While it is taken, no signal ends the command. `why` is said to whoever sends one, "" for moments."""

    def __init__(self, why: str = "") -> None:
        self.why = why

    def take(self) -> None:
        """From here on signals wait. Taken twice is taken once."""
        if self not in _requests.holds:
            _requests.holds.append(self)

    def drop(self) -> None:
        """Let the signal be met that came meanwhile: raises BrokenOff, unless something else holds it."""
        self._let_go()
        meet()

    def _let_go(self) -> None:
        if self in _requests.holds:
            _requests.holds.remove(self)

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """For the length of a `with`, signals are met again: the place for waits and for work of any length."""
        self.drop()
        try:
            yield
        finally:
            self.take()

    def say(self, what: str) -> None:
        """Tell whoever sent a signal what it waits for."""
        if self.why:
            text = f"baileys-tools: {what}: {self.why}; the same signal {KILLS} times ends it at once\n"
            with suppress(OSError):
                os.write(2, text.encode("utf-8", "backslashreplace"))


def last_word(text: str) -> None:
    """Have this be the last that the command says, on standard error, whichever way it ends."""
    _requests.last_words.append(text)


def hear_no_more() -> None:
    """Ignore signals from here on: the work is done and told."""
    for number in SIGNALS:
        if signal.getsignal(number) is _on_signal:
            signal.signal(number, signal.SIG_IGN)


def say_last_words() -> None:
    """Say them, and hear no more signals."""
    hear_no_more()
    for text in _requests.last_words:
        with suppress(OSError):
            print(f"baileys-tools: {text}", file=sys.stderr, flush=True)
    _requests.last_words.clear()
