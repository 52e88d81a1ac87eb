"""The lives sign and check by OpenSSL (fixtures/generate/arithmetic.mjs): as Baileys' own arithmetic does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.real_client import run_script

pytestmark = pytest.mark.contract


def test_what_one_arithmetic_signs_the_other_accepts_and_both_refuse_the_same(tmp_path: Path) -> None:
    report = json.loads(run_script("arithmetic_contract.mjs", home=tmp_path))
    assert report == {"pairs": 5, "differ": [], "replaced": True}
