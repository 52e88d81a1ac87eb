"""The logs of tests/log_forms are what the real loggers write, and read the same when the real PM2 keeps them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.bots.log_forms import FOLDER, FORMS, Form, judged, read_scene
from tests.support import missing, require_tool

pytestmark = [pytest.mark.contract, pytest.mark.timeout(120)]

GENERATE = Path(__file__).parents[2] / "fixtures" / "generate"


def test_the_loggers_write_what_the_tests_read(tmp_path):
    if not (GENERATE / "node_modules" / "pino-pretty").exists():
        missing("node_modules of fixtures/generate (npm ci)")
    subprocess.run([require_tool("node"), GENERATE / "logs.mjs", tmp_path], check=True, timeout=60)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in FOLDER.iterdir()}


PRINT = """
const fs = require('fs')
const lines = fs.readFileSync(process.env.LINES, 'utf8').split('\\n').slice(0, -1).concat('=== end')
const size = () => fs.existsSync(process.env.KEPT) ? fs.statSync(process.env.KEPT).size : 0
let kept = -1
const next = () => {
  // PM2 takes what it finds printed for one message: each scene is one, and each name. A logger prints a record so.
  if (lines.length && size() > kept) {
    kept = size()
    const end = lines[0].startsWith('=== ') ? 1 : lines.findIndex((line) => line.startsWith('=== '))
    console.log(lines.splice(0, end < 0 ? lines.length : end).join('\\n'))
  }
  setTimeout(next, 10)
}
next()
"""
KEPT_BY_PM2 = {
    "pino": ("pino", ()),
    "pretty-dated": ("pino-pretty", ("--time",)),
    "json": ("pino", ("--log-type", "json")),
    "json-pretty": ("pino-pretty-dated", ("--log-type", "json")),
    "printed": ("printed-inspect", ("--time",)),
}


def test_the_real_pm2_keeps_lines_that_tell_the_same(tmp_path):
    pm2 = require_tool("pm2")
    program = tmp_path / "bot.cjs"
    program.write_text(PRINT)
    own = {scene: read_scene(lines, tmp_path) for scene, lines in FORMS["pino"].scenes().items()}
    environment = os.environ | {"PM2_HOME": str(tmp_path / "pm2")}
    try:
        for name, (logger, options) in KEPT_BY_PM2.items():
            log = tmp_path / f"{name}.log"
            subprocess.run(
                [pm2, "start", program, "--name", name, "--output", log, *options],
                env=environment | {"LINES": str(FOLDER / f"{logger}.log"), "KEPT": str(log)},
                check=True,
                capture_output=True,
                timeout=60,
            )
        for name, (logger, _) in KEPT_BY_PM2.items():
            log = tmp_path / f"{name}.log"
            until = time.monotonic() + 40
            while time.monotonic() < until and (not log.exists() or "=== end" not in log.read_text()):
                time.sleep(0.05)
            scenes: dict[str, list[str]] = {}
            for line in log.read_text().splitlines():
                begins = re.search(r"=== ([^\"\\\n]+)", line)
                if begins is not None:
                    scenes[begins[1]] = []
                else:
                    scenes[next(reversed(scenes))].append(line)
            assert scenes.pop("end") == []
            assert scenes.keys() == own.keys(), name
            for scene, lines in scenes.items():
                word = judged(Form(logger), scene, read_scene(lines, tmp_path), own[scene])
                assert word in ("all", "cause"), (name, scene, word)
    finally:
        subprocess.run([pm2, "kill"], env=environment, capture_output=True, check=False, timeout=60)
