"""A bot's user on the way to where a session of its is moved to: nothing of anybody else's is read or taken back."""

from __future__ import annotations

import os
import shutil

import pytest

from baileys_tools.recovery.moving_places import FolderTarget
from baileys_tools.sessions.reading import read_session
from baileys_tools.trust import NotTrusted
from tests.hostile import give, hostile_place
from tests.support import company_folder

pytestmark = pytest.mark.root


def test_what_a_move_takes_back_is_nobody_elses() -> None:
    """The copy was not proven, and its owner puts a link to root's folder in the place of the one around it."""
    with hostile_place() as place:
        session = company_folder(place.bots / "sessions")
        (place.bots / "above").mkdir()
        give(place.bots)
        folder = os.open(session, os.O_RDONLY | os.O_DIRECTORY)
        files = read_session(folder).files
        os.close(folder)
        target = FolderTarget(str(place.bots / "above" / "new"))
        target.fill(files)
        written = target.read()
        assert set(written) == {"creds.json"}
        shutil.copytree(place.bots / "above" / "new", place.roots / "new")
        before = place.of_root()
        (place.bots / "above").rename(place.bots / "aside")
        (place.bots / "above").symlink_to(place.roots)
        give(place.bots / "above")
        for act in (target.read, lambda: target.empty(written)):
            with pytest.raises(NotTrusted, match="is not followed"):
                act()
        assert place.of_root() == before
        (place.bots / "above").unlink()
        (place.bots / "aside").rename(place.bots / "above")
        target.empty(written)
        assert list((place.bots / "above" / "new").iterdir()) == []
        assert place.not_the_bots() == []
