"""What may decide and what may hold a secret: a file that nobody but the caller and root can have written."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baileys_tools.bots.bot_log.reading import LogMemory, read_log
from baileys_tools.bots.process import Process, look_at
from baileys_tools.frame.own_file import is_foreign
from baileys_tools.trust import NotTrusted, doubt_of, open_plain, read_trusted
from tests.hostile import BOT, give, hostile_place
from tests.support import missing, require_root, require_tool

OTHER = 65533


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    made = folder / "config.yaml"
    made.write_text("content")
    made.chmod(0o600)
    return made


def refused(path: Path | str, words: str) -> None:
    with pytest.raises(NotTrusted) as error:
        read_trusted(str(path), 100)
    assert words in str(error.value.strerror)


def test_a_file_of_the_callers_own_is_read(file: Path) -> None:
    assert read_trusted(str(file), 100) == b"content"
    assert read_trusted(str(file), 4) == b"cont"
    file.chmod(0o644)
    assert read_trusted(f"{file.parent}/../etc/./config.yaml", 100) == b"content"


def test_one_that_is_not_there_is_not_there_also_where_nothing_is_trusted(file: Path) -> None:
    file.parent.chmod(0o777)
    for path in (file.parent / "nothing", file.parent / "no" / "thing"):
        with pytest.raises(FileNotFoundError):
            read_trusted(str(path), 100)
    with pytest.raises(NotADirectoryError):
        read_trusted(str(file / "below"), 100)


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622, 0o646])
def test_a_file_that_others_can_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    refused(file, f"others can write {file} (mode {mode:04o}): chmod go-w {file}")


@pytest.mark.parametrize("mode", [0o703, 0o777, 0o757])
@pytest.mark.parametrize("levels", [0, 1])
def test_a_folder_on_the_way_that_others_can_write_is_refused(file: Path, mode: int, levels: int) -> None:
    folder = [file.parent, *file.parents][levels]
    folder.chmod(mode)
    refused(file, f"others can write {folder} ")
    folder.chmod(0o755)
    assert read_trusted(str(file), 100) == b"content"


def test_in_a_folder_with_the_sticky_bit_what_is_the_callers_is_read(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert read_trusted(str(file), 100) == b"content"
    os.link(file, file.parent.parent / "again")
    refused(file, "another name of a file that lies elsewhere")


def test_the_way_goes_along_the_links_and_not_by_their_names(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("etc/../etc")
    (tmp_path / "absolute").symlink_to(tmp_path / "link" / "config.yaml")
    assert read_trusted(f"{tmp_path}/absolute", 100) == b"content"
    file.parent.chmod(0o777)
    refused(tmp_path / "absolute", f"others can write {file.parent} ")


def test_links_that_never_end_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        read_trusted(f"{tmp_path}/a", 100)


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            read_trusted(str(path), 100)


def test_what_the_caller_hands_over_is_read() -> None:
    """As `--identity <(pass show key)`."""
    reading, writing = os.pipe()

    def hand_over() -> None:
        os.write(writing, b"a key")
        os.close(writing)

    threading.Thread(target=hand_over).start()
    assert read_trusted(f"/dev/fd/{reading}", 100) == b"a key"
    os.close(reading)
    for path in ("/dev/fd/../fd/0/../../x", "/dev/fd/x"):
        with pytest.raises(OSError):
            read_trusted(path, 100)


def test_a_mounted_secret_of_kubernetes_is_read(tmp_path: Path) -> None:
    """..data leads to a folder with the time in its name, and the mount itself is open to all, with the sticky bit."""
    mount = tmp_path / "secret"
    for folder in (mount, mount / "..2026_01_15_12_00_00.1"):
        folder.mkdir()
    (mount / "..2026_01_15_12_00_00.1" / "token").write_text("content")
    (mount / "..data").symlink_to("..2026_01_15_12_00_00.1")
    (mount / "token").symlink_to("..data/token")
    mount.chmod(0o1777)
    for mode in (0o644, 0o440, 0o400):
        (mount / "..data" / "token").chmod(mode)
        assert read_trusted(f"{mount}/token", 100) == b"content"


# --- what only root can set up ------------------------------------------------------------------------------


@pytest.mark.root
def test_what_others_own_is_refused_wherever_on_the_way_it_is(file: Path, tmp_path: Path) -> None:
    require_root()
    for path in (file, file.parent, tmp_path):
        os.chown(path, OTHER, OTHER)
        refused(file, f"{path} belongs to {OTHER}, and you are root")
        os.chown(path, 0, 0)
    assert read_trusted(str(file), 100) == b"content"


@pytest.mark.root
def test_a_link_of_others_is_refused_whatever_it_leads_to(file: Path, tmp_path: Path) -> None:
    require_root()
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "folder").symlink_to("etc")
    for link in (tmp_path / "link", tmp_path / "folder"):
        os.lchown(link, OTHER, OTHER)
    refused(tmp_path / "link", f"{tmp_path}/link belongs to {OTHER}")
    refused(tmp_path / "folder" / "config.yaml", f"{tmp_path}/folder belongs to {OTHER}")


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o664, 0o620])
def test_a_group_of_others_may_write_neither_the_file_nor_a_folder(file: Path, mode: int) -> None:
    require_root()
    os.chown(file, 0, OTHER)
    file.chmod(mode)
    refused(file, f"others can write {file} ")
    os.chown(file, 0, 0)
    refused(file, f"others can write {file} ")
    file.chmod(0o640)
    os.chown(file.parent, 0, OTHER)
    file.parent.chmod(0o775)
    refused(file, f"others can write {file.parent} ")
    os.chown(file.parent, 0, 0)
    assert read_trusted(str(file), 100) == b"content", "the group of root is root's"


@pytest.mark.root
def test_an_access_list_is_not_overlooked(file: Path) -> None:
    """Its mask stands where the mode of the group does, and the group is root's own."""
    require_root()
    anybody = 0xFFFFFFFF
    entries = [(1, 7, anybody), (2, 7, OTHER), (4, 5, anybody), (16, 7, anybody), (32, 5, anybody)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    file.parent.chmod(0o775)
    assert read_trusted(str(file), 100) == b"content"
    try:
        os.setxattr(file.parent, "system.posix_acl_access", acl)
    except OSError as error:
        missing(f"a file system with access lists ({error.strerror})")
    refused(file, f"others can write {file.parent} (mode 0775)")


@pytest.mark.root
def test_a_read_only_mount_that_seems_open_to_all_is_a_configmap_of_kubernetes(file: Path) -> None:
    require_root()
    mount = require_tool("mount")
    file.parent.chmod(0o777)
    file.chmod(0o644)
    if subprocess.run([mount, "--bind", file.parent, file.parent], check=False).returncode:
        pytest.skip("needs mounts")
    try:
        refused(file, f"others can write {file.parent} ")
        subprocess.run([mount, "-o", "remount,ro,bind", file.parent], check=True)
        assert read_trusted(str(file), 100) == b"content"
    finally:
        subprocess.run(["umount", file.parent], check=True)
    file.chmod(0o646)
    refused(file, "others can write")


@pytest.mark.root
def test_for_the_bots_own_user_its_own_files_and_roots_count() -> None:
    with hostile_place() as place:
        own, roots, others = (place.bots / name for name in ("own", "roots", "others"))
        for path in (own, roots, others):
            path.write_text("content")
        give(own)
        give(others, uid=BOT - 1)
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(BOT)
            os.setuid(BOT)
            counted = [read_trusted(str(path), 7) for path in (own, roots)]
            try:
                read_trusted(str(others), 7)
            except NotTrusted:
                os._exit(0 if counted == [b"content"] * 2 else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        refused(own, f"{place.bots} belongs to {BOT}, and you are root")


def test_a_path_that_is_not_there_yet_is_judged_by_the_folders_above(file: Path) -> None:
    assert doubt_of(f"{file.parent}/a/b")[0] is None
    file.parent.chmod(0o777)
    doubt, seen = doubt_of(f"{file.parent}/a/b")
    assert doubt is not None
    assert (seen.st_ino, doubt.uid) == (file.parent.stat().st_ino, os.geteuid())


# --- what is in the hands of others, and only read ----------------------------------------------------------

_IN_OPEN = 0x20
READERS: dict[str, Callable[[str], object]] = {
    "any file": open_plain,
    "a log": lambda path: read_log(path, LogMemory(), datetime.now(UTC)),
    "a pidfile": lambda path: look_at(Process("pidfile", path)),
    "a file to be replaced": lambda path: is_foreign(path, b"mark"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_plain_file_is_not_opened_even_for_a_moment(
    tmp_path: Path, read: Callable[[str], object]
) -> None:
    """A link of a bot's can lead to a device, and to open one is to act: a watchdog starts, a tape winds back."""
    os.mkfifo(tmp_path / "device")
    (tmp_path / "link").symlink_to("device")
    kernel = ctypes.CDLL(None, use_errno=True)
    watch = kernel.inotify_init1(os.O_NONBLOCK)
    assert kernel.inotify_add_watch(watch, os.fsencode(tmp_path / "device"), _IN_OPEN) >= 0
    try:
        with suppress(OSError):
            read(str(tmp_path / "link"))
        with pytest.raises(BlockingIOError):
            os.read(watch, 4_096)
        os.close(os.open(tmp_path / "device", os.O_RDONLY | os.O_NONBLOCK))
        assert os.read(watch, 4_096), "the watch works"
    finally:
        os.close(watch)


def test_a_plain_file_is_read_through_a_link(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    with open(open_plain(str(tmp_path / "link")), "rb") as opened:
        assert opened.read() == b"content"
    with pytest.raises(FileNotFoundError):
        open_plain(str(tmp_path / "nothing"))
    with pytest.raises(OSError, match="is not a plain file"):
        open_plain(str(tmp_path))
