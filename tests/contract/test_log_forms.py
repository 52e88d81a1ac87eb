"""The logs of tests/log_forms are what the real loggers write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.bots.log_forms import FOLDER
from tests.support import missing, require_tool

pytestmark = [pytest.mark.contract, pytest.mark.timeout(120)]

GENERATE = Path(__file__).parents[2] / "fixtures" / "generate"


def test_the_loggers_write_what_the_tests_read(tmp_path):
    if not (GENERATE / "node_modules" / "pino-pretty").exists():
        missing("node_modules of fixtures/generate (npm ci)")
    subprocess.run([require_tool("node"), GENERATE / "logs.mjs", tmp_path], check=True, timeout=60)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in FOLDER.iterdir()}
