"""Whether a bot's file is whole is judged as Node judges it: random files, read by Node and by this tool."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.live import is_whole
from baileys_tools.sessions.rules.creds import Creds, parse_creds
from baileys_tools.sessions.rules.node_json import UnreadJson, read_json, whole_number
from tests.support import creds, require_tool

HERE = Path(__file__).parents[1]
BAILEYS = HERE.parents[1] / "fixtures" / "generate" / "node_modules"


@pytest.mark.parametrize("number", [3_000, pytest.param(10_000, marks=pytest.mark.faults)])
def test_files_are_judged_as_node_judges_them(tmp_path: Path, number: int) -> None:
    node = require_tool("node")
    if not BAILEYS.exists():
        subprocess.run(
            [require_tool("npm"), "ci"], cwd=BAILEYS.parent, check=True, capture_output=True, timeout=300
        )
    chance = random.Random(20_261_129)
    contents = {f"{one:05d}": _generated(chance) for one in range(number - len(EDGES))}
    contents |= {f"edge-{one:03d}": content for one, content in enumerate(EDGES)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [node, HERE / "read_as_the_bot.mjs", tmp_path, BAILEYS / "baileys7"],
        capture_output=True,
        check=True,
        timeout=300,
    )
    answers = json.loads(done.stdout)
    differ = {
        name: (content[:200], answers[name], ours)
        for name, content in contents.items()
        if (ours := _judged(content)) != answers[name]
    }
    assert len(answers) == number
    assert not differ, f"{len(differ)} of {number}: {dict(list(differ.items())[:3])}"
    read = sum(answer["read"] for answer in answers.values())
    replaced = sum(answer.get("replaced", 0) > 0 for answer in answers.values())
    assert read > number / 5 and number - read > number / 5 and replaced > number / 20, (
        "the files are no fair sample"
    )


def _judged(content: bytes) -> dict[str, Any]:
    facts = parse_creds(content)
    try:
        value = read_json(content)
    except UnreadJson:
        assert not isinstance(facts, Creds) and is_whole(content) is False
        return {"read": False}
    is_object = isinstance(value, dict)
    assert isinstance(facts, Creds) == is_object
    assert is_whole(content) is (value is not None)
    text = content.decode("utf-8", "replace")
    me = value.get("me") if isinstance(value, dict) else None
    jid = me.get("id") if isinstance(me, dict) else None
    return {
        "read": True,
        "present": value is not None,
        "isObject": is_object,
        "length": len(text.encode("utf-16-le")) // 2,
        "replaced": text.count("\ufffd"),
        "id": [ord(one) for one in jid] if isinstance(jid, str) else None,
        "next": whole_number(value.get("nextPreKeyId")) if isinstance(value, dict) else None,
    }


def _generated(chance: random.Random) -> bytes:
    content = chance.choice(BASES)(chance)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        content = chance.choice(CHANGES)(chance, content)
    return content


# --- what there is to begin with ----------------------------------------------------------------------------


def _creds(chance: random.Random) -> bytes:
    return json.dumps(
        creds(nextPreKeyId=chance.randrange(1, 5_000)),
        indent=chance.choice((None, None, 2, "\t")),
        separators=chance.choice(((",", ":"), (", ", ": "))),
    ).encode()


def _named(chance: random.Random) -> bytes:
    name = "".join(
        chance.choice("aé€😀\u2028\ufeff\u00a0\x7f\ufffd\ufffe") for _ in range(chance.randrange(1, 9))
    )
    return json.dumps(
        creds(me={"id": f"{name}:17@s.whatsapp.net"}), ensure_ascii=chance.random() < 0.3
    ).encode()


def _number(chance: random.Random) -> bytes:
    return b'{"nextPreKeyId":%s,"me":{"id":"1:2@s.whatsapp.net"}}' % chance.choice(NUMBERS).encode()


def _deep(chance: random.Random) -> bytes:
    # Not around 2,683: how much of its stack Node has used already differs from version to version.
    levels = chance.choice((chance.randrange(1, 2_600), chance.randrange(2_800, 6_000)))
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"me":', b"}]")))
    levels = levels // 2 if opened.startswith(b"[{") else levels
    return b'{"nextPreKeyId":7,"x":' + opened * levels + b"1" + closed * levels + b"}"


def _large(chance: random.Random) -> bytes:
    ids = [{"id": f"3EB0{number:026d}", "at": number} for number in range(chance.randrange(10, 400))]
    return json.dumps(creds(processedHistoryMessages=ids)).encode()


def _scalar(chance: random.Random) -> bytes:
    return chance.choice(SCALARS)


NUMBERS = (
    *("31", "31.0", "3.1e1", "310e-1", "-0", "0", "-1", "1e999", "-1e999", "1.5", "1E+2", "9007199254740992"),
    *("9007199254740993", "99999999999999999999", "1" * 309, "1" * 310, "9" * 5_000, "0." + "0" * 400 + "1"),
    *("01", "1.", ".5", "+1", "0x10", "1e", "1_000", "--1", "NaN", "-NaN", "Infinity", "-Infinity", "\u0663"),
)
SCALARS = (
    *(
        b"null",
        b"true",
        b"false",
        b"0",
        b'""',
        b'"text"',
        b"[]",
        b"{}",
        b"[null]",
        b"",
        b" ",
        b"\n\n",
        b"\0" * 9,
    ),
    *(
        b"undefined",
        b"nul",
        b"True",
        b"'a'",
        b"{a:1}",
        b"[1,]",
        b'{"a":1,}',
        b"//\n{}",
        b"/**/{}",
        b'{"a" 1}',
    ),
)
BASES = (*[_creds] * 6, _named, _named, _number, _number, _deep, _large, _scalar)


# --- what happens to it -------------------------------------------------------------------------------------


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _with_bytes(chance: random.Random, content: bytes) -> bytes:
    """Invalid UTF-8 in some place: alone, cut off, overlong, a surrogate, beyond Unicode."""
    at = content.find(b"Shop") if chance.random() < 0.7 else chance.randrange(len(content) + 1)
    at = max(at, 0)
    return (
        content[:at] + b"".join(chance.choice(NO_UTF_8) for _ in range(chance.randrange(1, 4))) + content[at:]
    )


def _overwritten(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.randrange(1, 4)) + content[at + 1 :]


def _around(chance: random.Random, content: bytes) -> bytes:
    before, after = chance.choice(SPACES), chance.choice(SPACES)
    return before + content + after


def _recoded(chance: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig")), "replace")


def _twice(chance: random.Random, content: bytes) -> bytes:
    """A key that comes again, as the first and as the last."""
    extra = chance.choice(
        (b'"nextPreKeyId":8', b'"me":null', b'"__proto__":{"me":1}', b'"":0', b'"me":{"id":"\\ud83d"}')
    )
    if not content.startswith(b"{") or not content.endswith(b"}") or len(content) < 3:
        return content
    return b"{" + extra + b"," + content[1:] if chance.random() < 0.5 else content[:-1] + b"," + extra + b"}"


def _in_a_string(chance: random.Random, content: bytes) -> bytes:
    return content.replace(b"Shop", chance.choice(IN_STRINGS), 1)


NO_UTF_8 = (
    *(
        b"\xff",
        b"\xfe",
        b"\x80",
        b"\xbf\xbf",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
    ),
    *(
        b"\xed\xbf\xbf",
        b"\xf0\x9f\x98",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe9",
    ),
    *(b"\xf0\x9f", b"\xf0\x9fa", b"\xe1\x80\xc3", b"\xf1\x80\x80\xc0"),
)
SPACES = (
    *(
        b"",
        b" ",
        b"\r\n",
        b"\t",
        b"\n" * 3,
        b"\x0b",
        b"\x0c",
        b"\xc2\xa0",
        b"\xe2\x80\xa8",
        b"\0",
        b"\0" * 512,
    ),
    *(b"\xef\xbb\xbf", b"\xef\xbb", b'"}}', b"{}", b"//", b"\x1a"),
)
IN_STRINGS = (
    *(
        b"\\ud800",
        b"\\udc00\\ud800",
        b"\\ud83d\\ude00",
        b"\\u00",
        b"\\u00g0",
        b"\\x41",
        b"\\'",
        b"\\/",
        b"\\b\\f\\n",
    ),
    *(
        b"\n",
        b"\t",
        b"\0",
        b"\x1f",
        b"\x7f",
        b"\xc2\x85",
        b"\xe2\x80\xa9",
        b"\\u0000",
        b"\\",
        b'\\"',
        b"\\U0041",
        b"'",
    ),
)
CHANGES = (*[_cut] * 2, *[_with_bytes] * 2, _overwritten, _around, _around, _recoded, _twice, _in_a_string)

EDGES = (
    b"[" * 2_600 + b"]" * 2_600,
    b"[" * 100_000 + b"]" * 100_000,
    b"[" * 200_000,
    b'{"a":' * 200_000,
    # Node reads a file by pieces: a character and a bad byte across each boundary.
    *(b'{"name":"' + b"a" * (size - 10) + tail + b'"}' for size in (1 << 16, 1 << 19) for tail in NO_UTF_8),
    *(b'{"name":"' + b"a" * (size - 10) + "€😀".encode() * 9 + b'"}' for size in (1 << 16, 1 << 19)),
    json.dumps(creds(processedHistoryMessages=[{"id": f"3EB0{n:026d}"} for n in range(150_000)])).encode(),
)


# --- what is this tool's own --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b'"' + b"a" * (16 << 20) + b'"', b"[" + b"[]," * 600_000 + b"0]"], ids=["bytes", "values"]
)
def test_what_is_too_large_is_not_called_torn(content: bytes) -> None:
    assert is_whole(content) is None
