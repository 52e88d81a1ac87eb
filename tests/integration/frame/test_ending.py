"""A signal ends a command also where Python changes or drops what is raised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import baileys_tools
from baileys_tools.cli import _broken_off
from baileys_tools.ending import BrokenOff
from baileys_tools.errors import ExitCode

PROJECT = Path(baileys_tools.__file__).parents[1]
PLACES = {
    # As the members of an Enum, in a module that is imported when it is needed.
    "__set_name__": "class Named:\n def __set_name__(self, owner, name): hit()\nclass Owner: one = Named()",
    "__del__": "class Owner:\n def __del__(self): hit()\nOwner()",
    # As at the end of each import.
    "weak reference": "import weakref\none = {1}\nref = weakref.ref(one, lambda _: hit())\ndel one",
    "a wait": "hit()",
    # Between the moment in which it gives its lock away and the one in which it waits.
    "the start of a thread": "interrupt_conditions()\nending.start_aside(lambda: None)",
    "the wait for an answer": (
        "from baileys_tools.frame.http import Request, send\n"
        "interrupt_conditions()\nsend(Request('GET', 'http://127.0.0.1:9/'))"
    ),
}
PROGRAM = """
import os, signal, threading, time
from baileys_tools import ending
from baileys_tools.ending import BrokenOff, listen
def hit():
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000): pass
def interrupt_conditions():
    release, tell = threading.Condition._release_save, threading.Event.set
    is_hit = threading.Lock()
    is_hit.acquire()
    def released(condition):
        release(condition)
        if threading.current_thread() is threading.main_thread():
            is_hit.locked() and is_hit.release()
            hit()
    def told(event):  # a thread that tells of itself too early would spare the main thread its wait
        aside = threading.get_ident() != threading.main_thread().ident
        if aside and is_hit.acquire(timeout=10): is_hit.release()
        tell(event)
    threading.Condition._release_save, threading.Event.set = released, told
listen()
try:
    try:
{place}
        time.sleep(20)
        print("it went on")
    except Exception as error:
        print("it became", repr(error))
except BrokenOff as end:
    print("broken off by", end)
"""


@pytest.mark.parametrize("place", PLACES)
def test_a_signal_is_met_wherever_it_comes(place: str) -> None:
    body = "\n".join(f"        {line}" for line in PLACES[place].splitlines())
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(place=body)],
        env={**os.environ, "PYTHONPATH": f"{PROJECT}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("broken off by SIGTERM\n", "")


@pytest.mark.parametrize(("command", "way_back"), [("cleanup", True), ("qr", False), ("watch", False)])
def test_the_way_back_is_named_where_something_can_be_taken_back(
    command, way_back, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(sys, "argv", ["baileys-tools", command])
    assert _broken_off(BrokenOff(signal.SIGINT)) == ExitCode.INTERRUPTED
    said = capsys.readouterr().err
    assert said.startswith("interrupted; what was done so far stands")
    assert ("baileys-tools undo --list" in said) is way_back
