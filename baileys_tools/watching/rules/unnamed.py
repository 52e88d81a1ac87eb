"""Any text without what tells whose it is: a word stays only where it is known to say nothing. Pure.

What is to be hidden cannot be listed: names, hosts and tokens have any form. So it is the other way round. The words of
the documentation stay, and so do small numbers and times; every other word becomes `x1`, `x2` ..., the same each time,
so that one still sees where two are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"\w(?:[\w.@:+-]*\w)?")
_SEPARATORS = re.compile(r"[-_:+]")
_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,6}){0,2}[a-z]{0,2}")
_PLACEHOLDER = re.compile(r"[ctx]\d{1,5}")
_OURS = re.compile(r"(?:company_)?[ctx]\d{1,5}[.:]?")
_ENDINGS = re.compile(r"(?:\.(?:json|sqlite3|ya?ml|log|lock|zst|age|tar|tmp|bak|service|timer|md|py))+$")

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?Z?")
_LONG = re.compile(r"\+?\d[\d ()./-]{6,}\d")
"""Digits in groups, as phone numbers are written."""
_FEWEST_DIGITS = 7
_MASKED = re.compile(r"[\w.@:+%=&?-]*\*{3}[\w.@:+%=&?*-]*")
"""What is left of a word beside a secret in it tells what the word was."""
_ADDRESS = re.compile(r"(?<=://)[^\s\"'<>]+")
_HOME = re.compile(r"/(?:home|Users)/[^/\s\"',;]+")
_PATH = re.compile(r"(?<![\w.])(?<!:/)(?!(?<=:)//)/[^\s\"'<>,;|()]*")
CUSTOMARY = frozenset(
    """
    srv var lib home opt mnt data etc root usr local tmp run app bin share log dev shm cron.d cron.log crontabs
    session sessions auth auth_info auth_info_baileys baileys_auth_info persistent-session default main whatsapp
    backup backups snapshots state bot bots node www-data ubuntu debian admin baileys baileys-tools crontab
    .config .local .cleanup.lock .baileys-tools quarantine creds.json state.sqlite3
    """.split()  # noqa: SIM905 (a table of words reads better than one of quotation marks)
)
"""What folders, users and single sessions are called that are nobody's. Of a path only these stay: the documentation
has too many words for that."""
_QUAD = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_SHORT = 3
"""A shorter name of a company is looked for only where it is said to be one: `1` and `a` stand everywhere."""
_BEFORE_A_NAME = r"(?<=company )|(?<=company_)|(?<=companies )|(?<=companies\.)|(?<=company=)"


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Given texts that hold nobody's name, return their words, in small letters."""
    return frozenset(
        piece
        for text in texts
        for word in _WORD.findall(text)
        for piece in (word.lower(), *_SEPARATORS.split(word.lower()))
        if piece and "@" not in piece
    )


class Unnamed:
    """Hides what is in no list of words.

    `words` may stay, a text that is one of `terms` as a whole stays as it is, and `names` are those of companies,
    settings and the host with what each is called instead, whatever word it is.
    """

    def __init__(self, words: frozenset[str], terms: frozenset[str], names: Mapping[str, str]) -> None:
        self._words = words | words_of(
            [*terms, *CUSTOMARY, "http https sftp s3 sessions state repository settings host user"]
        )
        self._terms = terms
        self._names = dict(names)
        known = sorted((name for name in names if name), key=len, reverse=True)
        parts = [
            (rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
            if len(name) >= _SHORT
            else rf"(?:{_BEFORE_A_NAME}){re.escape(name)}(?![A-Za-z0-9])"
            for name in known
        ]
        self._known = re.compile("|".join(parts)) if parts else None
        self._called: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return a text without anything that tells whose it is, in plain ASCII, one line."""
        if text in self._terms:
            return text
        text = _MASKED.sub("***", text)
        if self._known is not None:
            text = self._known.sub(lambda found: self._names[found[0]], text)
        text = _HOME.sub("~", text)
        text = _ADDRESS.sub(lambda found: self._address(found[0]), text)
        text = _PATH.sub(lambda found: "/".join(map(self._folder, found[0].split("/"))), text)
        text = _QUAD.sub(lambda found: found[0] if found[0] in _LOCAL else self._call(found[0]), text)
        pieces = []
        end = 0
        for time in _TIME.finditer(text):
            pieces += [self._untimed(text[end : time.start()]), time[0]]
            end = time.end()
        pieces.append(self._untimed(text[end:]))
        return "".join(one if " " <= one <= "~" else "?" for one in "".join(pieces))

    def _address(self, address: str) -> str:
        place, slash, _ = address.partition("/")
        name, colon, port = place.rpartition(":")
        if not colon or not port.isdecimal():
            name, colon, port = place, "", ""
        return f"{name if name in _LOCAL else self._call(name)}{colon}{port}{'/...' if slash else ''}"

    def _folder(self, name: str) -> str:
        if not name or name in CUSTOMARY or _OURS.fullmatch(name):
            return name
        return name if _ENDINGS.search(name) and self._is_plain(name) else self._call(name)

    def _untimed(self, text: str) -> str:
        def long(found: re.Match[str]) -> str:
            digits = sum(map(str.isdigit, found[0]))
            return self._call(found[0]) if digits >= _FEWEST_DIGITS else found[0]

        return _WORD.sub(lambda found: self._word(found[0]), _LONG.sub(long, text))

    def _word(self, word: str) -> str:
        return word if self._is_plain(word) else self._call(word)

    def _is_plain(self, word: str) -> bool:
        if not word.isascii() or "@" in word:
            return False
        place, _, port = word.partition(":")
        if (place in _LOCAL and (not port or port.isdecimal())) or self._is_known(word):
            return True
        stem = _ENDINGS.sub("", word)
        if "." in stem and not _NUMBER.fullmatch(stem) and not all(map(self._is_known, stem.split("-"))):
            # A host of ordinary words is a host.
            return False
        return all(not piece or self._is_known(piece) for piece in _SEPARATORS.split(stem))

    def _is_known(self, word: str) -> bool:
        if _NUMBER.fullmatch(word) or _PLACEHOLDER.fullmatch(word):
            return True
        # tOkEnS are no words, whatever letters they are made of.
        return (word.islower() or word.istitle() or word.isupper()) and word.lower() in self._words

    def _call(self, word: str) -> str:
        return self._called.setdefault(word, f"x{len(self._called) + 1}")
