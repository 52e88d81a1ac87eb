"""Sessions in Redis: a hash a session, or a key a record. No KEYS; changes are one Lua that compares first."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from baileys_tools.stores import leases, redis_connection
from baileys_tools.stores.aside import aside
from baileys_tools.stores.cells import Abilities, StoreLocked, StoreTrouble
from baileys_tools.stores.redis_connection import AnswerTooLarge, never_again, patient, redis_driver
from baileys_tools.stores.redis_names import RecordNames, by_session
from baileys_tools.stores.redis_scripts import CHANGE, STAMP
from baileys_tools.stores.rules.mapping import RedisMap, split_template
from baileys_tools.stores.rules.rows import CREDS_TYPE, Cell, Change, Unit, batches

BATCH = 20
"""Changes of one Lua, in which Redis serves nobody else: a tenth of a millisecond."""
_ASKED = 100
"""Digests that are asked for at a time."""
_SOON_MS = 60 * 86_400_000
SCANNED = 500

MOST_DIGESTED = 2_000
"""Records of a session that the server makes a digest of: it does nothing else for those milliseconds."""


class RedisStore:
    """As `Store` says."""

    def __init__(self, url: str, address: str, password: str | None, mapped: RedisMap) -> None:
        self.address = address
        self.mapped = mapped
        self._has_workers = mapped.hash.startswith(leases.FAZER)
        probe = "the lease of its worker" if self._has_workers else "creds unchanged in two looks"
        self.abilities = Abilities("observed", True, "a lease in Redis", probe)
        self._driver = driver = redis_driver()
        self._before, self._after = split_template(mapped.hash or mapped.key)
        self._leases: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._workers: dict[str, str] = {}
        self._names: dict[str, RecordNames] | None = None
        self._silent = ""
        try:
            redis_connection.require_database(url)
            self._db: Any = driver.Redis.from_url(
                url,
                decode_responses=True,
                encoding_errors="surrogateescape",
                socket_connect_timeout=redis_connection.SECONDS,
                socket_timeout=redis_connection.SECONDS,
                redis_connect_func=redis_connection.begin,
                # A change that was made, and whose answer was lost, would be taken for another's at a second try.
                retry=never_again(),
                **({"password": password} if password is not None else {}),
            )
            pool = self._db.connection_pool
            pool.connection_class = patient(pool.connection_class)
            redis_connection.require_options(pool)
        except (ValueError, driver.RedisError) as error:
            raise StoreTrouble(f"the address cannot be used: {_words(error)}") from None
        self._run("PING")
        if self._is_of_cluster():
            raise StoreTrouble(
                "a node of a Redis Cluster, which knows a part of the records only: sessions in a cluster are not read"
            )

    def _run(self, *words: Any) -> Any:
        with self._asking():
            return self._db.execute_command(*words)

    def _is_of_cluster(self) -> bool:
        try:
            return str(self._run("INFO", "cluster").get("cluster_enabled")) == "1"
        except StoreTrouble:
            return False  # a user who may not ask; in a cluster the first record of another node says so

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raise StoreTrouble for what goes wrong. A server that was silent for too long is not asked again: each
        company would wait for as long."""
        if self._silent:
            raise StoreTrouble(self._silent)
        try:
            yield
        except AnswerTooLarge:
            raise StoreTrouble(
                f"an answer of more than {redis_connection.LARGEST_ANSWER >> 20} MiB: no session is that large"
            ) from None
        except (self._driver.TimeoutError, TimeoutError):
            self._silent = (
                f"the server has not answered for {redis_connection.SECONDS} seconds, "
                f"or not to the end in {redis_connection.ANSWER_SECONDS}"
            )
            raise StoreTrouble(self._silent) from None
        except (self._driver.RedisError, OSError) as error:
            raise StoreTrouble(leases.said_by_change(_words(error))) from None

    def _scan(self, pattern: str) -> Iterator[str]:
        """Yield the keys of a pattern; Redis may name one twice."""
        with self._asking():
            yield from self._db.scan_iter(match=pattern, count=SCANNED)

    def _all(self) -> dict[str, RecordNames]:
        """Return by session the names of its records, of one walk through all keys."""
        if self._names is None:
            rests = (key[len(self._before) :] for key in self._scan(f"{_literal(self._before)}*"))
            self._names = by_session(rests, self._after, self.mapped.creds)
        return self._names

    def _keys_of(self, tenant: str) -> list[str]:
        """Return the keys of a session's records."""
        prefix = self._key(tenant)
        return [prefix + name for name in self._all().get(tenant, ())]

    def tenants(self, known: dict[str, str] | None = None) -> list[str]:
        """As `Store.tenants`."""
        if self.mapped.key:
            self._names = None
            return sorted(self._all())
        pattern = f"{_literal(self._before)}*{_literal(self._after)}"
        found = dict.fromkeys(self._scan(pattern))
        keys = [key for key in found if len(key) > len(self._before + self._after)]
        held = self._asked([("HEXISTS", key, self.mapped.creds) for key in keys])
        end = len(self._after)
        return sorted(
            key[len(self._before) : len(key) - end]
            for key, has in zip(keys, held, strict=True)
            if has is True or has == 1
        )

    def _asked(self, questions: Sequence[tuple[str, ...]]) -> list[Any]:
        """Ask many at a time; what a question cannot be asked of answers with its error."""
        found: list[Any] = []
        for first in range(0, len(questions), SCANNED):
            pipe = self._db.pipeline(transaction=False)
            for question in questions[first : first + SCANNED]:
                pipe.execute_command(*question)
            with self._asking():
                found += pipe.execute(raise_on_error=False)
        return found

    def without_creds(self) -> int:
        """As `Store.without_creds`."""
        return 0

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """As `Store.cells`."""
        if self._has_workers:
            # Whoever has the session when it is read has it when it is changed, or nothing is.
            self._workers[tenant] = str(self._run("GET", leases.workers_key(tenant)) or "")
        if self.mapped.hash:
            found = self._run("HGETALL", self._key(tenant)).items()
        else:
            prefix = self._key(tenant)
            keys = [*dict.fromkeys(self._scan(f"{_literal(prefix)}*"))] if afresh else self._keys_of(tenant)
            texts: list[Any] = []
            for first in range(0, len(keys), SCANNED):
                texts += self._run("MGET", *keys[first : first + SCANNED])
            found = (
                (key[len(prefix) :], text) for key, text in zip(keys, texts, strict=True) if text is not None
            )
        for name, text in found:
            if name == self.mapped.creds:
                yield Cell(CREDS_TYPE, "", text)
            else:
                yield Cell("", name, text)

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """As `Store.stamps`: a digest that the server makes, so that no value travels; of what is no burden to it."""
        found: dict[str, str] = {}
        asked: dict[str, tuple[str, ...]] = {}
        for tenant in tenants:
            keys = [self._key(tenant)] if self.mapped.hash else sorted(self._keys_of(tenant))
            if 0 < len(keys) <= MOST_DIGESTED:
                words = ("1" if self.mapped.hash else "0", str(MOST_DIGESTED), str(_SOON_MS))
                asked[tenant] = ("EVAL", STAMP, str(len(keys)), *keys, *words)
            if len(asked) == _ASKED:
                found |= self._digests(asked)
                asked.clear()
        return found | self._digests(asked)

    def _digests(self, asked: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        answers = self._asked([*asked.values()])
        # A user that may run no script is told nothing, and the sessions are read.
        return {
            tenant: answer for tenant, answer in zip(asked, answers, strict=True) if isinstance(answer, str)
        }

    def _key(self, tenant: str) -> str:
        return self._before + tenant + self._after

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`."""
        if whole:
            made = self._change(tenant, units, whole=True)
        else:
            made = [
                one
                for batch in aside(batches(units, BATCH))
                for one in self._change(tenant, batch, whole=False)
            ]
        self._remember(tenant, units)
        return made

    def _remember(self, tenant: str, units: Sequence[Unit]) -> None:
        """Have what came back be among the names that were walked through. What has gone is asked for in vain."""
        if self._names is None or self.mapped.hash:
            return
        names = self._names.setdefault(tenant, RecordNames())
        for one in (change for unit in units for change in unit if change.after is not None):
            names.add(self.mapped.creds if one.type == CREDS_TYPE else one.id)

    def _change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        key = self._key(tenant)
        is_hash = bool(self.mapped.hash)
        claim = self._claims.get(tenant, "")
        worker = claim or self._workers.get(tenant)
        words: list[Any] = [
            self._leases.get(tenant, ""),
            leases.LEASE_MS,
            int(whole),
            int(is_hash),
            len(units),
        ]
        words += [int(worker is not None), worker or "", int(bool(claim))]
        keys = [self._lease(tenant), key] + ([leases.workers_key(tenant)] if self._has_workers else [])
        for unit in units:
            words.append(len(unit))
            for one in unit:
                name = self.mapped.creds if one.type == CREDS_TYPE else one.id
                if not is_hash:
                    name = key + name
                    keys.append(name)
                words += [name, int(one.before is not None), one.before or "", int(one.after is not None)]
                words += [one.after or "", "" if one.expires_ns is None else one.expires_ns // 1_000_000]
        answer = self._run("EVAL", CHANGE, len(keys), *keys, *words)
        return [one == 1 for one in answer]

    def _lease(self, tenant: str) -> str:
        # In a cluster on the node of the session's own key; and nothing that lists sessions finds it.
        return f"{{{self._key(tenant)}}}baileys-tools.lock"

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """As `Store.locked`: a lease of a minute, renewed by itself, that each change asks for again."""
        token, key = secrets.token_hex(16), self._lease(tenant)
        with leases.held(self._run, key, token, "another run, on this host or another"):
            self._leases[tenant] = token
            try:
                yield
            finally:
                del self._leases[tenant]

    @contextmanager
    def claimed(self, tenant: str) -> Iterator[None]:
        """As `Store.claimed`: fazer's own lease, where nobody holds it."""
        if not self._has_workers:
            yield
            return
        taken = "a worker of the bot's program"
        if self.owner(tenant):
            # Before anything is counted up: its workers count their owners.
            raise StoreLocked(taken)
        claim = leases.claim_of(self._run, tenant)
        with leases.held(self._run, leases.workers_key(tenant), claim, taken):
            self._claims[tenant] = claim
            try:
                yield
            finally:
                del self._claims[tenant]

    def require_held(self, tenant: str) -> None:
        """As `Store.require_held`."""
        for key, value in (
            (self._lease(tenant), self._leases.get(tenant)),
            (leases.workers_key(tenant), self._claims.get(tenant)),
        ):
            if value is not None and self._run("GET", key) != value:
                raise StoreTrouble(leases.LOST)

    def owner(self, tenant: str) -> str:
        """Return who holds fazer's own lease of a session, "" where nobody does or the store has none."""
        if not self._has_workers:
            return ""
        found = str(self._run("GET", leases.workers_key(tenant)) or "")
        return "" if found == self._claims.get(tenant) else found

    def said(self) -> list[str]:
        """As `Store.said`."""
        found = ["Redis"]
        with suppress(StoreTrouble):
            found = [f"Redis {self._run('INFO', 'server').get('redis_version', '?')}"]
        try:
            self._run("GET", self._lease(""))
        except StoreTrouble as trouble:
            held = f"{{{self._before}*"
            found.append(
                f"no session can be held while it is changed, as the keys {held} are refused: {trouble}"
            )
        try:
            self._run("EVAL", "return 1", "0")
        except StoreTrouble as trouble:
            found.append(
                f"nothing can be changed there, and each session is read at each look, as no script is run: {trouble}"
            )
        return found

    def dangers(self) -> list[str]:
        """As `Store.dangers`."""
        info = self._run("INFO")
        found = []
        policy = info.get("maxmemory_policy")
        if policy and policy != "noeviction":
            found.append(
                f"maxmemory-policy is {policy}: Redis removes keys of a login when memory is short; set noeviction"
            )
        if str(info.get("aof_enabled")) == "0":
            found.append(
                "appendonly is no: after a crash Redis comes back with older keys, and messages can no longer be read"
            )
        return found

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """As `Store.expiries`: of the hash, where all of a session is one."""
        key = self._key(tenant)
        names = [self.mapped.creds if one.type == CREDS_TYPE else one.id for one in changes]
        asked = [key if self.mapped.hash else key + name for name in names]
        now_ms = time.time_ns() // 1_000_000
        left = dict(zip(set(asked), self._asked([("PTTL", one) for one in set(asked)]), strict=True))
        return [
            (now_ms + left[one]) * 1_000_000 if isinstance(left[one], int) and left[one] >= 0 else None
            for one in asked
        ]

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`: keys that live for less than 60 days. Keyv gives creds two years, at each write."""
        keys = [self._key(tenant)] if self.mapped.hash else self._keys_of(tenant)
        answers = self._asked([("PTTL", key) for key in keys])
        return sum(isinstance(one, int) and 0 <= one < _SOON_MS for one in answers)

    def close(self) -> None:
        """As `Store.close`."""
        self._db.close()


def _literal(text: str) -> str:
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", text)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
