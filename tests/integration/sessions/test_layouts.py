"""Session folders as public bots lay them out: found, cleaned, backed up and brought back, with nothing renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.errors import BaileysToolsError
from baileys_tools.layouts import RootSpec, SessionsPath
from baileys_tools.sessions.roots import Base, Company, NotASessionFolder, Root
from baileys_tools.sessions.search.way import step
from fixtures.lay import lay
from tests import cost
from tests.integration.faults.forked import run_cli
from tests.support import creds

NOW = datetime.now(UTC)


def session(path: Path) -> Path:
    """Lay a real session folder out, with files to remove in it, of a bot that was on an hour ago."""
    lay("single", path, NOW)
    return path


def bare(path: Path, text: str | None = None) -> Path:
    """Make a folder that is a session's by its creds.json alone."""
    path.mkdir(parents=True)
    (path / "creds.json").write_text(json.dumps(creds()) if text is None else text)
    return path


def found(where: str | SessionsPath | Path, **how: object) -> dict[str, str]:
    with Root(where if isinstance(where, SessionsPath) else str(where)) as root:
        return {company.id: company.path for company in root.companies(**how)}  # type: ignore[arg-type]


Layout = Callable[[Path], tuple[list[str], dict[str, Path]]]


def _auth_by_phone(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [f"{top}/auth"], {name: top / "auth" / name for name in ("15550001111", "15550002222")}


def _baileys_api(top: Path) -> tuple[list[str], dict[str, Path]]:
    (top / "sessions").mkdir()
    (top / "sessions" / "shop_store.json").write_text('{"chats":[]}')
    return [json.dumps({"path": str(top), "layout": "baileys-api"})], {
        name: top / "sessions" / f"md_{name}" for name in ("shop", "clinic")
    }


def _own_folders(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [f"{top}/bots/*/auth_info_baileys"], {
        name: top / "bots" / name / "auth_info_baileys" for name in ("alice", "bob")
    }


def _siblings(top: Path) -> tuple[list[str], dict[str, Path]]:
    (top / "node_modules").mkdir()
    (top / "package.json").write_text("{}")
    return [f"{top}/auth_info_*"], {name: top / f"auth_info_{name}" for name in ("alice", "bob")}


def _openclaw(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [json.dumps({"path": str(top), "layout": "openclaw"})], {
        name: top / "credentials" / "whatsapp" / name for name in ("default", "bot")
    }


def _instances(top: Path) -> tuple[list[str], dict[str, Path]]:
    names = ("0b0e1c7e-1111-4222-8333-944455556666", "1c1e1c7e-1111-4222-8333-944455556666")
    return [json.dumps({"path": str(top), "layout": "evolution-files"})], {
        name: top / "instances" / name for name in names
    }


def _sub_bots_beside(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [json.dumps({"path": str(top), "layout": "jadibot"})], {
        "GataBotSession": top / "GataBotSession",
        "15550004444": top / "GataJadiBot" / "15550004444",
    }


def _sub_bots_inside(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [json.dumps({"path": str(top / "session"), "folders": [".", "jadibts/*"]})], {
        "session": top / "session",
        "15550006666": top / "session" / "jadibts" / "15550006666",
    }


def _openwa(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [json.dumps({"path": str(top), "layout": "openwa"})], {
        name: top / "data" / "baileys" / name for name in ("sales", "support")
    }


def _two_deep(top: Path) -> tuple[list[str], dict[str, Path]]:
    return [f"{top}/*/*"], {"acme-15550007777": top / "acme" / "15550007777", "zeta-1": top / "zeta" / "1"}


LAYOUTS: list[Layout] = [
    _auth_by_phone,
    _baileys_api,
    _own_folders,
    _siblings,
    _openclaw,
    _instances,
    _sub_bots_beside,
    _sub_bots_inside,
    _openwa,
    _two_deep,
]


def options_of(paths: list[str]) -> tuple[dict[str, str], list[str]]:
    """What is JSON goes into the variable, as it would into a settings file; the rest to the flag."""
    if paths[0].startswith("{"):
        return {"BAILEYS_TOOLS_SESSIONS__ROOTS": f"[{', '.join(paths)}]"}, []
    return {}, [word for path in paths for word in ("--sessions", path)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__.strip("_"))
def test_a_layout_is_found_cleaned_backed_up_and_brought_back(tmp_path: Path, layout: Layout) -> None:
    top = tmp_path / "top"
    top.mkdir()
    paths, folders = layout(top)
    for folder in folders.values():
        if folder.is_dir():  # the outer one of a sub-bot
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        lay_beside(folder)
    env, flags = options_of(paths)
    env |= {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}

    def run(*words: str) -> dict[str, object]:
        done = run_cli(words[0], *flags, *words[1:], "--json", env=env)
        assert done.returncode in (0, 4, 5), done.stdout + done.stderr
        document: dict[str, object] = json.loads(done.stdout)
        return document

    told = {one["id"]: one["path"] for one in run("sessions")["companies"]}  # type: ignore[attr-defined]
    assert told == {name: str(folder) for name, folder in folders.items()}
    run("monitor-once", "--no-notify")
    before = {name: names_in(folder) for name, folder in folders.items()}
    planned = run("cleanup", "--dry-run")
    assert {name: names_in(folder) for name, folder in folders.items()} == before
    assert planned["totals"]["to_remove"] > 0  # type: ignore[index]
    assert {one["status"] for one in run("backup")["companies"]} == {"taken"}  # type: ignore[attr-defined]
    cleaned = run("cleanup")
    assert cleaned["totals"]["removed"] == planned["totals"]["to_remove"]  # type: ignore[index]
    name, folder = next(reversed(folders.items()))
    run("undo")
    assert {name: names_in(folder) for name, folder in folders.items()} == before
    kept = (folder / "creds.json").read_bytes()
    (folder / "creds.json").unlink()
    run("restore", "--company", name, "--yes")
    assert json.loads((folder / "creds.json").read_bytes())["me"] == json.loads(kept)["me"]
    # The folder itself, too: it is made anew where it stood.
    shutil.rmtree(folder)
    run("restore", "--company", name, "--yes")
    assert (folder / "creds.json").is_file()
    assert folder.stat().st_mode & 0o777 == 0o700


def lay_beside(folder: Path) -> None:
    """Lay a session folder out where other folders may stand inside it already."""
    stage = folder.parent / ".stage"
    session(stage)
    stage.rename(folder)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}


def test_one_pass_looks_at_three_layouts_at_once(tmp_path: Path) -> None:
    session(tmp_path / "one" / "auth_info_baileys")
    for name in ("alice", "bob"):
        session(tmp_path / "many" / name / "auth")
    lay(
        "healthy-v6" if (Path(__file__).parents[3] / "fixtures" / "healthy-v6").is_dir() else "bloated-v6",
        tmp_path / "root",
        NOW,
    )
    words = [
        word
        for path in (tmp_path / "one" / "auth_info_baileys", f"{tmp_path}/many/*/auth", tmp_path / "root")
        for word in ("--sessions", str(path))
    ]
    done = run_cli("monitor-once", *words, "--json", "--no-notify")
    told = {one["company"]: one["path"] for one in json.loads(done.stdout)["companies"]}
    assert {"alice", "bob", "auth_info_baileys"} < set(told)
    assert told["alice"] == f"{tmp_path}/many/alice/auth"
    assert any(path.startswith(f"{tmp_path}/root/company_") for path in told.values())


# --- what tells a session -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "is_one"),
    [
        ({"creds.json": json.dumps(creds())}, True),
        ({"creds.json": json.dumps(creds()), "x.txt": ""}, True),
        ({"creds.json": '{"type": "service_account", "private_key": "x"}'}, False),
        ({"creds.json": '{"installed": {"client_id": "noiseKey"}}'}, False),
        ({"creds.json": ""}, False),
        ({"creds.json": "", "pre-key-1.json": "{}"}, True),
        ({"creds.json": '{"noiseKey": {"priv', "app-state-sync-key-AAAA.json": "{}"}, True),
        ({"pre-key-1.json": "{}"}, True),
        ({"session-shop.json": "{}"}, False),
        ({}, False),
    ],
)
def test_the_content_of_a_folder_tells_whether_it_is_a_session(
    tmp_path: Path, files: dict[str, str], is_one: bool
) -> None:
    (tmp_path / "any").mkdir()
    for name, text in files.items():
        (tmp_path / "any" / name).write_text(text)
    assert list(found(tmp_path)) == (["any"] if is_one else [])
    assert list(found(f"{tmp_path}/*")) == (["any"] if is_one else [])


@pytest.mark.parametrize(
    ("files", "is_one"),
    [
        ({"creds.json": json.dumps(creds())}, True),
        ({"creds.json": ""}, True),
        ({"creds.json": '{"noiseKey": {"priv'}, True),
        ({"creds.json": "{}"}, True),
        ({"creds.json": '{"me": {"id": "1:1@s.whatsapp.net"}}'}, True),
        ({"creds.json": '{"type": "service_account"}', "pre-key-1.json": "{}"}, True),
        ({"creds.json": '{"type": "service_account", "private_key": "x"}'}, False),
        ({"creds.json": '{"installed": {"client_id": "noiseKey"}}', "app.js": ""}, False),
    ],
)
def test_a_folder_that_is_named_itself_is_a_session_but_for_another_programs_creds(
    tmp_path: Path, files: dict[str, str], is_one: bool
) -> None:
    bare(tmp_path / "app" / "auth")
    for name, text in files.items():
        (tmp_path / "app" / name).write_text(text)
    assert list(found(tmp_path / "app")) == (["app"] if is_one else ["auth"])


@pytest.mark.parametrize(
    ("files", "is_one"),
    [
        ({"package.json": "{}", "index.js": ""}, False),
        ({"Default/Cookies": ""}, False),
        ({"creds.json": '{"installed": {"client_id": "noiseKey"}}', "app.js": ""}, False),
        ({}, True),
        ({".gitkeep": ""}, True),
        ({"pre-key-1.json": "{}", "app.js": ""}, True),
        ({"creds.json": '{"noiseKey": {"priv', "app.js": ""}, True),
        ({"creds.json.enc": "x", "app.js": ""}, True),
    ],
)
def test_a_star_that_leads_to_others_files_alone_leads_to_no_session(
    tmp_path: Path, files: dict[str, str], is_one: bool
) -> None:
    (tmp_path / "any" / "auth").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "any" / "auth" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "any" / "auth" / name).write_text(text)
    pattern = f"{tmp_path}/*/auth"
    assert list(found(pattern)) == (["any"] if is_one else [])
    with Root(pattern) as root:
        root.companies()
        assert [(entry, bool(why)) for _, entry, why in root.passed] == (
            [] if is_one else [("any/auth", True)]
        )
    # Who was known is told of as lost, and so is whoever is named by itself.
    assert list(found(pattern, known={str(tmp_path / "any/auth")})) == ["any"]
    assert list(found(SessionsPath(RootSpec(str(tmp_path), folders=("any/auth",))))) == ["auth"]


def test_a_known_session_of_a_pattern_that_holds_others_files_by_now_is_lost(tmp_path: Path) -> None:
    folder = session(tmp_path / "any" / "auth")
    bare(tmp_path / "other" / "auth")
    words = ("--sessions", f"{tmp_path}/*/auth")
    run_cli("monitor-once", *words, "--no-notify")
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "index.js").touch()
    told = json.loads(run_cli("monitor-once", *words, "--no-notify", "--json").stdout)["companies"]
    assert {one["company"]: (one["why"] or {}).get("code") for one in told}["any"] == "creds-missing"


def test_creds_in_another_encoding_still_tell(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "creds.json").write_text(json.dumps(creds()), encoding="utf-16")
    assert list(found(tmp_path)) == ["any"]


def test_copies_by_their_name_are_no_bots(tmp_path: Path) -> None:
    bare(tmp_path / "shop")
    for name in ("shop.bak", "shop-copy", "shop_old2", "backup-shop", "shop (copy)", "shop~"):
        bare(tmp_path / name)
    assert list(found(tmp_path)) == ["shop"]
    assert list(found(f"{tmp_path}/*")) == ["shop"]
    assert "shop.bak" in found(f"{tmp_path}/shop.ba*") or "k" in found(f"{tmp_path}/shop.ba*")


def test_company_folders_come_before_any_name(tmp_path: Path) -> None:
    bare(tmp_path / "other")
    (tmp_path / "company_1").mkdir()
    assert list(found(tmp_path)) == ["1"]


# --- names --------------------------------------------------------------------------------------------------


def test_two_of_one_name_are_told_apart_and_the_short_name_is_refused(tmp_path: Path) -> None:
    for owner in ("alice", "bob"):
        session(tmp_path / owner / "auth_info_baileys")
    paths = [str(tmp_path / owner / "auth_info_baileys") for owner in ("alice", "bob")]
    where = SessionsPath(*(RootSpec(path) for path in paths))
    assert list(found(where)) == ["auth_info_baileys@alice", "auth_info_baileys@bob"]
    words = [word for path in paths for word in ("--sessions", path)]
    done = run_cli("cleanup", *words, "--dry-run", "--company", "auth_info_baileys")
    assert done.returncode == 2
    assert all(
        path in done.stderr and f"@{owner}" in done.stderr
        for owner, path in zip(("alice", "bob"), paths, strict=True)
    )
    done = run_cli("cleanup", *words, "--dry-run", "--company", "auth_info_baileys@bob")
    assert done.returncode == 0
    assert paths[1] in done.stdout
    assert paths[0] not in done.stdout


def test_a_volume_of_docker_is_called_by_its_name(tmp_path: Path) -> None:
    volumes = tmp_path / "volumes"
    for name in ("shop", "clinic"):
        bare(volumes / name / "_data")
    alone, below = f"{volumes}/shop/_data", RootSpec(f"{volumes}/clinic", folders=("_data",))
    assert list(found(alone)) == list(found(f"{volumes}/shop/*")) == ["shop"]
    assert list(found(SessionsPath(below))) == ["clinic"]
    assert list(found(SessionsPath(RootSpec(alone), below))) == ["shop", "clinic"]
    assert sorted(found(f"{volumes}/*/_data")) == ["clinic", "shop"]


def test_the_same_place_is_one_company_however_many_roots_lead_there(tmp_path: Path) -> None:
    folder = bare(tmp_path / "bots" / "alice")
    (tmp_path / "link").symlink_to(folder)
    where = SessionsPath(
        RootSpec(str(folder)), RootSpec(str(tmp_path / "link")), RootSpec(str(tmp_path / "bots"))
    )
    assert list(found(where)) == ["alice"]


def test_ten_of_each_name_in_twenty_roots_are_two_hundred_bots(tmp_path: Path) -> None:
    specs = []
    for root in range(20):
        for bot in range(10):
            bare(tmp_path / f"r{root}" / "bots" / f"b{bot}")
        specs.append(RootSpec(str(tmp_path / f"r{root}" / "bots")))
    names = list(found(SessionsPath(*specs)))
    assert len(set(names)) == 200
    assert "b3@r7" in names


# --- links --------------------------------------------------------------------------------------------------


def test_a_root_that_only_says_that_links_are_meant_follows_them(tmp_path: Path) -> None:
    targets = [bare(tmp_path / "elsewhere" / name) for name in ("one", "two", "three")]
    root = tmp_path / "root"
    root.mkdir()
    (root / "company_9").symlink_to(targets[0])
    (root / "alice").symlink_to(targets[1])
    (root / "notes").symlink_to(tmp_path)
    meant = SessionsPath(RootSpec(str(root), follow_links=True))
    assert sorted(found(meant)) == ["9", "alice"]
    (tmp_path / "itself").symlink_to(targets[2])
    assert list(found(SessionsPath(RootSpec(str(tmp_path / "itself"), follow_links=True)))) == ["three"]
    with Root(meant) as opened:
        opened.companies()
        assert [entry for _, entry, _ in opened.passed] == ["notes"]


def test_a_link_is_followed_only_where_it_is_meant(tmp_path: Path) -> None:
    target = bare(tmp_path / "elsewhere" / "auth")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "alice").symlink_to(target)
    assert found(f"{tmp_path}/root/*") == {}
    meant = SessionsPath(RootSpec(str(tmp_path / "root"), ("*",), follow_links=True))
    with Root(meant) as root:
        (company,) = root.companies()
        assert (company.id, company.place) == ("alice", str(target))
        with root.open(company) as folder:
            assert os.path.samestat(os.fstat(folder), target.stat())
        with root.around(company) as (around, name):
            assert (name, os.fstat(around).st_ino) == ("auth", target.parent.stat().st_ino)


@pytest.mark.skipif(os.geteuid() != 0, reason="root")
def test_a_link_of_one_user_to_a_folder_of_another_is_not_followed(tmp_path: Path) -> None:
    target = bare(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    link = tmp_path / "root" / "alice"
    link.symlink_to(target)
    os.lchown(link, 12345, 12345)
    meant = SessionsPath(RootSpec(str(tmp_path / "root"), ("*",), follow_links=True))
    assert found(meant) == {}
    company = Company("alice", "alice", str(link), linked=True)
    with Root(meant) as root, pytest.raises(NotASessionFolder, match="of one user"), root.open(company):
        pass


def test_a_link_put_on_the_way_after_the_listing_leads_nowhere(tmp_path: Path) -> None:
    bare(tmp_path / "root" / "alice" / "auth")
    bare(tmp_path / "secret" / "auth")
    with Root(f"{tmp_path}/root/*/auth") as root:
        (company,) = root.companies()
        (tmp_path / "root" / "alice").rename(tmp_path / "root" / "was")
        (tmp_path / "root" / "alice").symlink_to(tmp_path / "secret")
        with pytest.raises(NotASessionFolder), root.open(company):
            pass
        with pytest.raises(OSError, match="link"):
            root.stamp_handle(company)


def test_loops_end(tmp_path: Path) -> None:
    bare(tmp_path / "root" / "alice")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "itself").symlink_to("itself")
    for follows in (False, True):
        where = SessionsPath(RootSpec(str(tmp_path / "root"), ("*/*/*", "*/*", "*"), follow_links=follows))
        assert set(found(where).values()) & {str(tmp_path / "root" / "alice")}
        assert len(found(where)) == 1


# --- hostile trees ------------------------------------------------------------------------------------------


def test_names_that_anybody_can_choose_break_nothing(tmp_path: Path) -> None:
    names = ["new\nline", "\x1b[31mred", "a,b", "-rf", "--company", "x..", "\udcff", "n" * 255, "company_"]
    for name in names:
        bare(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name))))
    listed = found(f"{tmp_path}/*")
    assert len(listed) == len(names)
    for words in (("sessions",), ("status",), ("monitor-once", "--no-notify"), ("cleanup", "--dry-run")):
        done = run_cli(*words, "--sessions", tmp_path)
        assert "\x1b[31m" not in done.stdout + done.stderr
        assert "\nline" not in done.stdout


def test_one_tenants_hundred_thousand_entries_are_not_for_all_to_pay(tmp_path: Path) -> None:
    bare(tmp_path / "zoe" / "auth")
    crowd = tmp_path / "mallory"
    crowd.mkdir()
    subprocess.run("seq -f x%.0f 100000 | xargs touch", shell=True, cwd=crowd, check=True)
    for pattern in ("*/auth", "*/*"):
        begin = cost.used()
        assert list(found(f"{tmp_path}/{pattern}").values()) == [str(tmp_path / "zoe" / "auth")]
        assert cost.used() - begin < 1
    with Root(f"{tmp_path}/*/*") as root:
        root.companies()
        assert any(entry == "mallory" and "10000" in why for _, entry, why in root.passed)
    begin = cost.used()
    run_cli("sessions", "--sessions", tmp_path)
    assert cost.used() - begin < 1


def test_a_deep_tree_costs_its_few_first_folders(tmp_path: Path) -> None:
    bare(tmp_path / "root" / "alice")
    deep = os.open(tmp_path / "root", os.O_RDONLY)
    for _ in range(2_000):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    begin = cost.used()
    done = run_cli("sessions", "--sessions", tmp_path / "root")
    assert "alice" in done.stdout
    assert cost.used() - begin < 1
    fd = os.open(tmp_path / "root", os.O_RDONLY)
    assert os.system(f"rm -rf {tmp_path}/root/d") == 0  # pytest's own way to remove it recurses
    os.close(fd)


# --- a single folder ----------------------------------------------------------------------------------------


def test_a_single_folder_that_is_gone_is_the_loss_of_its_login_with_the_way_back(tmp_path: Path) -> None:
    folder = session(tmp_path / "bot" / "session")
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    words = ("--sessions", str(folder))
    assert run_cli("backup", *words, env=env).returncode == 0
    assert run_cli("monitor-once", *words, "--no-notify", env=env).returncode == 0
    folder.rename(tmp_path / "gone")
    done = run_cli("monitor-once", *words, "--no-notify", "--json", env=env)
    (company,) = json.loads(done.stdout)["companies"]
    assert done.returncode == 5
    first = company["findings"][0]
    assert (first["code"], first["severity"]) == ("creds-missing", "emergency")
    assert "restore --company session" in company["findings"][0]["action"]
    for command in ("status", "inspect"):
        told = run_cli(command, *words, env=env).stdout
        assert "creds-missing" in told and "gone" in told
    assert "no log of company session" in run_cli("logs", *words, env=env).stderr
    assert "creds-lost" in run_cli("recover", "--dry-run", *words, env=env).stdout
    done = run_cli("restore", "--yes", *words, env=env)
    assert done.returncode == 0, done.stderr
    assert (folder / "creds.json").is_file()
    assert run_cli("monitor-once", *words, "--no-notify", env=env).returncode == 0


def test_a_single_folder_that_was_emptied_comes_back_without_its_name(tmp_path: Path) -> None:
    folder = session(tmp_path / "bot" / "session")
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    words = ("--sessions", str(folder))
    run_cli("backup", *words, env=env)
    run_cli("monitor-once", *words, "--no-notify", env=env)
    shutil.rmtree(folder)
    folder.mkdir()
    assert run_cli("monitor-once", *words, "--no-notify", env=env).returncode == 5
    assert "creds-lost" in run_cli("recover", "--dry-run", *words, env=env).stdout
    assert run_cli("restore", "--yes", *words, env=env).returncode == 0
    assert (folder / "creds.json").is_file()


@pytest.mark.parametrize("how", ["gone", "emptied", "a file"])
def test_where_the_last_session_has_vanished_its_name_is_told(tmp_path: Path, how: str) -> None:
    folder = bare(tmp_path / "auth" / "shop")
    words = ("--sessions", str(tmp_path / "auth"))
    run_cli("monitor-once", *words, "--no-notify")
    shutil.rmtree(folder)
    if how == "emptied":
        folder.mkdir()
    elif how == "a file":
        folder.touch()
    for command in ("status", "recover"):
        done = run_cli(command, *words)
        assert (done.returncode, "where there were 1: shop" in done.stderr) == (10, True), done.stderr
        assert "restore --company shop" in done.stderr and f"ls -ld {tmp_path}/auth" in done.stderr


@pytest.mark.parametrize("how", ["gone", "emptied"])
def test_no_command_leaves_a_single_folder_that_vanished_without_the_way_back(
    tmp_path: Path, how: str
) -> None:
    folder = session(tmp_path / "bot" / "session")
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    words = ("--sessions", str(folder))
    run_cli("monitor-once", *words, "--no-notify", env=env)
    shutil.rmtree(folder)
    if how == "emptied":
        folder.mkdir()
    for command in ("cleanup", "backup", "undo --list", "report", "contacts", "reset --dry-run"):
        done = run_cli(*command.split(), *words, env=env)
        assert done.returncode == 10, command
        assert "where there were 1: session" in done.stderr or "where it was before" in done.stderr, command
        assert f"restore --company session --dry-run --sessions {folder}" in done.stderr


def test_a_company_of_many_that_vanished_is_named_with_the_way_back(tmp_path: Path) -> None:
    for name in ("one", "two"):
        session(tmp_path / "auth" / name)
    words = ("--sessions", str(tmp_path / "auth"))
    run_cli("monitor-once", *words, "--no-notify")
    shutil.rmtree(tmp_path / "auth" / "two")
    for command in ("cleanup", "inspect"):
        done = run_cli(command, *words, "--company", "two")
        assert (done.returncode, "where it was before" in done.stderr) == (10, True), done.stderr
        assert "restore --company two --dry-run --sessions" in done.stderr
        done = run_cli(command, *words, "--company", "three")
        assert (done.returncode, "restore" in done.stderr) == (10, False), done.stderr


def test_a_path_that_never_was_is_still_a_mistake(tmp_path: Path) -> None:
    for command in ("monitor-once", "status", "recover", "cleanup"):
        done = run_cli(command, "--sessions", tmp_path / "typo")
        assert done.returncode == 2, command
        assert "cannot open the sessions path" in done.stderr


def test_a_root_that_is_not_there_stops_no_other(tmp_path: Path) -> None:
    session(tmp_path / "here" / "alice")
    words = ("--sessions", str(tmp_path / "here"), "--sessions", str(tmp_path / "away"))
    done = run_cli("cleanup", *words, "--json")
    told = {one["company"]: one["status"] for one in json.loads(done.stdout)["companies"]}
    assert (done.returncode, told) == (3, {"alice": "cleaned", "away": "failed"})


# --- imports ------------------------------------------------------------------------------------------------


def test_a_copy_of_any_name_is_taken_in_for_the_one_bot_that_there_is(tmp_path: Path) -> None:
    folder = session(tmp_path / "auth_info_baileys")
    copy = shutil.copytree(folder, tmp_path / "auth_info_baileys.bak")
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    (folder / "creds.json").write_text("")
    os.utime(folder / "creds.json", (time.time() - 600,) * 2)
    done = run_cli("backup", "--import", copy, "--sessions", folder, env=env)
    assert "company auth_info_baileys: taken" in done.stdout
    done = run_cli("restore", "--yes", "--sessions", folder, env=env)
    assert done.returncode == 0, done.stderr
    assert (folder / "creds.json").stat().st_size > 100
    done = run_cli("restore", "--yes", "--company", "auth_info_baileys.bak", "--sessions", folder, env=env)
    assert done.returncode == 10
    assert "did you mean auth_info_baileys?" in done.stderr


def test_a_copy_of_one_of_many_has_to_be_said_whose_it_is(tmp_path: Path) -> None:
    for name in ("shop", "clinic"):
        session(tmp_path / "root" / name)
    copy = shutil.copytree(tmp_path / "root" / "shop", tmp_path / "shop.bak")
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    words = ("backup", "--import", str(copy), "--sessions", str(tmp_path / "root"))
    done = run_cli(*words, env=env)
    assert done.returncode == 2
    assert "did you mean shop?" in done.stderr
    assert not (tmp_path / "repository" / "company_shop.bak").exists()
    assert "company shop: taken" in run_cli(*words, "--company", "shop", env=env).stdout


# --- what stands inside -------------------------------------------------------------------------------------


def test_a_reset_takes_no_sub_bot_along(tmp_path: Path) -> None:
    outer = session(tmp_path / "session")
    inner = session(outer / "jadibts" / "15550006666")
    done = run_cli("reset", "--company", "session", "--yes", "--force", "--sessions", outer)
    assert done.returncode == 13
    assert "another session folder stands in this one" in done.stderr
    assert (inner / "creds.json").is_file()


def test_state_and_repository_go_into_no_session_folder_at_any_depth(tmp_path: Path) -> None:
    bare(tmp_path / "bots" / "alice" / "auth")
    for place in ("auth", "auth/state", "auth/deep/er"):
        env = {"BAILEYS_TOOLS_STATE__DIR": str(tmp_path / "bots" / "alice" / place)}
        done = run_cli("cleanup", "--dry-run", "--sessions", f"{tmp_path}/bots/*/auth", env=env)
        assert done.returncode == 2, place
        assert "session folder" in done.stderr


def test_a_root_that_cannot_be_meant_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    for root, why in (
        ('{"path": "/a", "store": "redis://x"}', 'invalid key "path" of a store'),
        ('{"path": "/a", "layout": "opnclaw"}', "did you mean openclaw?"),
        ('{"folders": ["*"]}', "without a path"),
        ('{"path": "/a", "folders": ["../b"]}', "leads out"),
    ):
        done = run_cli("status", env={"BAILEYS_TOOLS_SESSIONS__ROOTS": root})
        assert done.returncode == 2
        assert why in done.stderr


def test_a_stronger_source_says_all_of_where_the_sessions_are(tmp_path: Path) -> None:
    session(tmp_path / "flag" / "alice")
    session(tmp_path / "file" / "bob")
    config = tmp_path / "c.yaml"
    config.write_text(f"sessions:\n  roots:\n    - {{path: {tmp_path}/file, folders: ['*']}}\n")
    config.chmod(0o600)
    assert "bob" in run_cli("status", "--config", config).stdout
    both = run_cli("status", "--config", config, "--sessions", tmp_path / "flag").stdout
    assert "alice" in both
    assert "bob" not in both


def test_an_unreadable_root_raises(tmp_path: Path) -> None:
    with pytest.raises(BaileysToolsError, match="cannot open"):
        Root(f"{tmp_path}/none")


# --- what `sessions` says -----------------------------------------------------------------------------------


def test_sessions_names_what_it_finds_and_what_it_passes_by(tmp_path: Path) -> None:
    session(tmp_path / "app" / "auth_info_alice")
    session(tmp_path / "app" / "tenants" / "acme" / "15550007777")
    (tmp_path / "app" / "session-x" / "Default").mkdir(parents=True)
    (tmp_path / "app" / "tokens").mkdir()
    (tmp_path / "app" / "tokens" / "shop.data.json").write_text("{}")
    (tmp_path / "app" / "auth_info.json").write_text('{"creds": {"noiseKey": 1}, "keys": {}}')
    (tmp_path / "app" / "store.bin").touch()
    (tmp_path / "app" / "gows.db").write_bytes(b"SQLite format 3\0")
    bare(tmp_path / "app" / "google", '{"type": "service_account"}')
    bare(tmp_path / "app" / "auth_info_alice.bak")
    (tmp_path / "app" / "link").symlink_to("auth_info_alice")
    done = run_cli("sessions", "--sessions", tmp_path / "app", "--json")
    document = json.loads(done.stdout)
    schema = json.loads((Path(__file__).parents[3] / "docs/json/sessions.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    (one,) = document["companies"]
    assert (one["id"], one["writer"]) == ("auth_info_alice", "Baileys 6")
    why = {Path(passed["path"]).name: passed["why"] for passed in document["passed_by"]}
    for name, word in {
        "session-x": "whatsapp-web.js",
        "tokens": "wppconnect",
        "auth_info.json": "useSingleFileAuthState",
        "store.bin": ".bin",
        "gows.db": "WAHA",
        "google": "not of Baileys",
        "auth_info_alice.bak": "a copy",
        "link": "follow_links",
    }.items():
        assert word in why[name], name
    assert [(one["pattern"], one["companies"]) for one in document["proposed"]] == [("tenants/acme/*", 1)]
    shown = run_cli("sessions", "--sessions", tmp_path / "app").stdout
    assert '"folders": ["*", "tenants/acme/*"]' in shown
    assert (
        max(map(len, (line for line in shown.splitlines() if "{" not in line and str(tmp_path) not in line)))
        <= 80
    )


def test_baileys_where_whatsapp_web_js_was_is_found_and_profiles_are_told(tmp_path: Path) -> None:
    """Bots that moved from one library to the other keep their folders where they were."""
    bare(tmp_path / ".wwebjs_auth" / "session-1")
    bare(tmp_path / ".wwebjs_auth" / "session-2")
    (tmp_path / ".wwebjs_auth" / "session-3" / "Default").mkdir(parents=True)
    told = json.loads(run_cli("sessions", "--sessions", tmp_path, "--json").stdout)
    assert [(one["pattern"], one["companies"]) for one in told["proposed"]] == [(".wwebjs_auth/session-*", 2)]
    assert ["whatsapp-web.js" in one["why"] for one in told["passed_by"]] == [True]
    hint = run_cli("status", "--sessions", tmp_path).stderr
    assert f"--sessions '{tmp_path}/.wwebjs_auth/session-*'" in hint


@pytest.mark.parametrize(
    "copies", ["data/session_backups/2026-11-01", "backups/shop", "auth.bak/shop", "a/archive/b"]
)
def test_copies_that_bots_put_aside_are_not_proposed(tmp_path: Path, copies: str) -> None:
    bare(tmp_path / "auth" / "shop")
    bare(tmp_path / copies)
    told = json.loads(run_cli("sessions", "--sessions", tmp_path, "--json").stdout)
    assert [one["pattern"] for one in told["proposed"]] == ["auth/shop"]


def test_config_init_proposes_roots_that_find_all(tmp_path: Path) -> None:
    session(tmp_path / "app" / "main")
    session(tmp_path / "app" / "subs" / "1555")
    config = tmp_path / "c.yaml"
    done = run_cli("config", "init", config, "--sessions", tmp_path / "app")
    assert "proposed   sessions.roots, for 1 session folder" in done.stdout
    told = run_cli("sessions", "--config", config, "--json")
    assert {one["id"] for one in json.loads(told.stdout)["companies"]} == {"main", "1555"}
    assert json.loads(told.stdout)["proposed"] == []
    assert run_cli("config", "check", "--config", config).returncode in (0, 4)


@pytest.mark.parametrize(
    "words",
    [
        ["reset", "--dry-run"],
        ["resend-group-keys", "--all", "--dry-run"],
        ["renew-sessions", "--broken", "--dry-run"],
        ["contacts"],
    ],
    ids=lambda words: words[0],
)
def test_what_is_about_one_company_needs_no_name_where_there_is_one(tmp_path: Path, words: list[str]) -> None:
    lay_beside(tmp_path / "auth_info_baileys")
    done = run_cli(*words, "--sessions", tmp_path / "auth_info_baileys")
    assert done.returncode == 0, done.stderr
    assert "company auth_info_baileys" in done.stdout
    lay_beside(tmp_path / "auth_info_b")
    done = run_cli(*words, "--sessions", tmp_path)
    assert done.returncode == 2
    assert "Name it with --company" in done.stderr


# --- layouts that no preset names ---------------------------------------------------------------------------

OUT_THERE: dict[str, tuple[list[str], set[str]]] = {
    # Each as a public bot has it; what is to be found, and the patterns that are proposed for the rest.
    "sub-bots beside the session, each in a folder of the bot": (
        ["Shadow/Sessions", "Shadow/Jadibos/15550001111", "Shadow/Jadibos/15550002222"],
        {"Shadow/Jadibos/*", "Shadow/Sessions"},
    ),
    "bot and sub-bots in one folder": (
        ["sessions/session-bot", "sessions/session-sub/15550001111"],
        {"sessions/session-bot", "sessions/session-sub/*"},
    ),
    "a hidden folder": ([".assistant/whatsapp-auth"], {".assistant/whatsapp-auth"}),
    "tenants and numbers": (["data/acme/wa/1/auth", "data/zeta/wa/2/auth"], {"data/*/wa/*/auth"}),
    "the library's folder": (["lib/multi_auth"], {"lib/multi_auth"}),
    "the example's folder": (["cache/baileys_auth_info"], {"cache/baileys_auth_info"}),
    "a storage folder": (["storage/baileys/shop", "storage/baileys/lab"], {"storage/baileys/*"}),
    "several bots of one flow": (["bot_sessions", "sales_sessions"], set()),
    "one folder beside the code": (["session"], set()),
}


@pytest.mark.parametrize("name", OUT_THERE)
def test_without_a_preset_each_session_is_found_or_a_pattern_of_it_is_told(tmp_path: Path, name: str) -> None:
    folders, patterns = OUT_THERE[name]
    top = tmp_path / "app"
    for way in ("node_modules/x", ".git/objects", "plugins", "tmp"):
        (top / way).mkdir(parents=True)
    for number in range(300):  # what stands deeper in a folder beside hides nothing
        (top / "aaa-media" / str(number) / "thumbnails").mkdir(parents=True)
    for way in folders:
        (top / way).parent.mkdir(parents=True, exist_ok=True)
        lay_beside(top / way)
    told = json.loads(run_cli("sessions", "--sessions", top, "--json").stdout)
    found = {one["path"] for one in told["companies"]}
    proposed = {one["pattern"] for one in told["proposed"]}
    assert proposed - {"*"} == patterns
    roots = [{"path": str(top), "folders": sorted(patterns)}] if patterns else [str(top)]
    env = {"BAILEYS_TOOLS_SESSIONS__ROOTS": json.dumps(roots)}
    told = json.loads(run_cli("sessions", "--json", env=env).stdout)
    assert found | {one["path"] for one in told["companies"]} == {str(top / way) for way in folders}


def test_the_copy_that_a_bot_makes_of_its_creds_is_no_second_bot(tmp_path: Path) -> None:
    lay_beside(tmp_path / "GataBotSession")
    (tmp_path / "BackupSession").mkdir()
    for name in ("creds.json", "creds-2026-01-01.json"):
        shutil.copy(tmp_path / "GataBotSession" / "creds.json", tmp_path / "BackupSession" / name)
    told = json.loads(run_cli("sessions", "--sessions", tmp_path, "--json").stdout)
    assert [one["id"] for one in told["companies"]] == ["GataBotSession"]
    assert "a copy, as its name says" in json.dumps(told["passed_by"])


def test_keys_in_folders_of_their_own_are_told_and_are_no_sessions(tmp_path: Path) -> None:
    """A fork that keeps each kind in a folder of its own: it is not understood, so nobody calls it whole or ill."""
    folder = session(tmp_path / "sessions" / "company_1")
    for kind in ("pre-key", "session", "sender-key", "app-state-sync-key"):
        (folder / f"{kind}s").mkdir()
        for file in folder.glob(f"{kind}-*"):
            file.rename(folder / f"{kind}s" / file.name)
    for file in folder.glob("*-*.json"):
        file.unlink()
    where = ["--sessions", str(tmp_path / "sessions")]
    status = json.loads(run_cli("status", *where, "--json").stdout)
    [company] = status["companies"]
    found = {one["code"]: one for one in company["findings"] if one["severity"] != "notice"}
    assert found.keys() == {"unknown-files", "pre-keys-gone"}
    assert "4 entries of no kind that this tool knows" in found["unknown-files"]["message"]
    assert found["pre-keys-gone"]["action"].startswith("Nothing, where the bot keeps its keys")
    assert status["not_looked_after"] == 0
    assert json.loads(run_cli("sessions", *where, "--json").stdout)["proposed"] == []

    def files() -> dict[Path, bytes]:
        return {one: one.read_bytes() for one in folder.glob("[!.]*/**/*") if one.is_file()}

    before = files()
    assert len(before) > 20
    assert run_cli("cleanup", *where).returncode == 0
    done = run_cli("reset", *where, "--company", "1", "--yes", "--force")
    assert (done.returncode, "a folder with keys of its own" in done.stderr) == (13, True), done.stderr
    assert files() == before


def test_a_folder_that_is_closed_to_this_user_is_no_other_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(base: Base) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), base.path)

    monkeypatch.setattr(Base, "open", closed)
    with pytest.raises(BaileysToolsError) as refused:
        Root(str(session(tmp_path / "auth")))
    assert refused.value.hint == "Run as the owner of the folder, or as root."


def test_a_session_that_was_known_is_not_gone_where_the_way_to_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "stranger"):
        bare(tmp_path / name / "auth")

    def closed(name: str, around: int, **words: Any) -> int:
        if name in ("a", "stranger"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return step(name, around, **words)

    monkeypatch.setattr("baileys_tools.sessions.search.walk.step", closed)
    monkeypatch.setattr("baileys_tools.sessions.search.way.step", closed)
    with Root(f"{tmp_path}/*/auth") as root:
        found = root.companies(known={"a": None, "b": None})
        assert [one.id for one in found] == ["a", "b"]
        with pytest.raises(PermissionError), root.open(found[0]):
            pass
        assert [one.id for one in root.companies()] == ["b"]
        assert {(way, "denied" in why) for _, way, why in root.passed} == {("a", True), ("stranger", True)}


def test_session_folders_that_no_rule_finds_are_told(tmp_path: Path) -> None:
    session(tmp_path / "session")
    for number in ("15550006666", "15550007777"):
        bare(tmp_path / "session" / "jadibts" / number)
    where = ["--sessions", str(tmp_path / "session")]
    told = f"2 more session folders not looked after: baileys-tools sessions --sessions {where[1]}"
    assert told in run_cli("status", *where).stdout
    assert json.loads(run_cli("status", *where, "--json").stdout)["not_looked_after"] == 2
    checks = json.loads(run_cli("doctor", *where, "--json").stdout)["checks"]
    [check] = [one for one in checks if "not looked after" in one["message"]]
    assert (check["outcome"], check["message"]) == ("warning", "2 more session folders not looked after")
    assert check["action"] == f"baileys-tools sessions --sessions {where[1]}"
    pattern = ["--sessions", where[1], "--sessions", f"{where[1]}/jadibts/*"]
    assert json.loads(run_cli("status", *pattern, "--json").stdout)["not_looked_after"] == 0


def test_of_a_root_that_is_away_each_session_is_told_at_its_place_and_brought_back_nowhere_else(
    tmp_path: Path,
) -> None:
    """A login in two folders breaks both, as soon as the disk is mounted again."""
    repository = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repo")}
    here, there = tmp_path / "here", tmp_path / "there"
    session(here / "alice")
    session(there / "bob")
    roots = [f"--sessions={here}/*", f"--sessions={there}/*"]
    for command in ("backup", "monitor-once"):
        run_cli(command, "--quiet", *roots, env=repository)
    there.rename(tmp_path / "not mounted")
    told = run_cli("monitor-once", *roots).stdout
    assert f"the session folder {there}/bob is gone" in told
    assert f"{there} is not there" in told
    assert "while it was being read" not in told
    refused = run_cli("restore", "--company", "bob", "--yes", *roots, env=repository)
    assert (refused.returncode, sorted(os.listdir(here))) == (13, ["alice"]), refused.stderr
    assert f"company bob stood in {there}" in refused.stderr
    (tmp_path / "not mounted").rename(there)
    assert f"{there}/bob" not in run_cli("monitor-once", *roots).stdout


def test_a_root_that_cannot_be_opened_is_not_told_as_away(tmp_path: Path) -> None:
    session(tmp_path / "here" / "alice")
    (tmp_path / "loop").symlink_to("loop")
    roots = [f"--sessions={tmp_path}/here/*", f"--sessions={tmp_path}/loop/*"]
    for command in ("monitor-once", "sessions"):
        told = run_cli(command, *roots).stdout
        assert "oo many levels of symbolic links" in told, told
        assert "is not there" not in told


@pytest.mark.parametrize("name", ["creds.json.enc", "CREDS.JSON", "session1-creds.json", "creds.v2.json"])
def test_creds_in_a_form_that_is_not_read_are_told_by_their_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / name).write_text("{}")
    told = " ".join(run_cli("sessions", "--sessions", tmp_path).stdout.split())
    assert f"bot: no creds.json, but {name}: a form that this tool does not read" in told
