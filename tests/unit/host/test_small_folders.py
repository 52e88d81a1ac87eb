"""When `config init` proposes `cleanup.until`: where every folder has had room for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.config import load_settings
from baileys_tools.host.config_commands import run_init
from baileys_tools.host.rules.small_folders import RoomyUntil, Size, until_proposed
from baileys_tools.state.database import open_state
from baileys_tools.state.observations import Observation, observe

START = datetime(2026, 1, 1, tzinfo=UTC)


def lived(*sizes: tuple[int, int], days: int = 10) -> list[Size]:
    """A folder of so many counted files, of which so many can go by age, seen at equal times."""
    return [
        Size(START + timedelta(days=days * n / max(1, len(sizes) - 1)), *size) for n, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ([lived((60, 40), (80, 55))], RoomyUntil(110, 55, 10)),
        ([lived((60, 40), (80, 55)), lived((90, 70), (95, 70), days=20)], RoomyUntil(110, 70, 10)),
        # Another kind has taken the room: with Baileys 7 most of a folder stays.
        ([lived((140, 60), (140, 60))], None),
        ([lived((60, 40), (80, 55)), lived((180, 30), (180, 30))], None),
        ([lived((60, 40), (80, 55), days=6)], None),
        ([lived((60, 40), (80, 55)), []], None),
        ([], None),
    ],
)
def test_what_is_proposed_leaves_each_folder_below_level_warning(
    histories: list[list[Size]], expected: RoomyUntil | None
) -> None:
    found = until_proposed(histories, 150)
    assert found == expected
    if found is not None:
        beside = max(size.counted - size.by_age for sizes in histories for size in sizes)
        assert beside + found.until + 10 < 150


def test_config_init_says_it_and_leaves_the_choice_to_the_operator(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    loaded = load_settings({"state.dir": str(tmp_path / "state")}, {}, home=str(tmp_path), cwd=str(tmp_path))
    with open_state(str(tmp_path / "state"), now) as state:
        observe(
            state,
            [
                Observation(
                    "1001", now - timedelta(days=day), 80, 80, {"session": 30, "sender-key": 25}, None,
                    "healthy", "valid", now,
                )
                for day in range(9)
            ],
        )  # fmt: skip
    file = tmp_path / "settings.yaml"
    said = " ".join(run_init(file, False, loaded).split())
    assert "proposed cleanup.until: 110: in 8 days no folder had more than 55 files that can go" in said
    assert "until: 110" not in file.read_text()
    nothing = load_settings({"state.dir": str(tmp_path / "none")}, {}, home=str(tmp_path), cwd=str(tmp_path))
    assert "proposed" not in run_init(file, True, nothing)
