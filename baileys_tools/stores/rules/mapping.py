"""How a store lays the records of its sessions out: presets of known programs, and a mapping made by hand.

Each preset was read in its program's source at the commit named, and its schema is a test's.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores.rules.codecs import CODECS
from baileys_tools.units import did_you_mean, quoted

SQL_SCHEMES = ("postgres", "postgresql", "sqlite")
REDIS_SCHEMES = ("redis", "rediss", "unix")
TENANT = "{tenant}"


class SqlMap(NamedTuple):
    """Tables and columns of the records of all sessions.

    A record is named by `type` and `id`, or by one `key` column that holds `<type>-<id>` behind `prefix`. `tenant` is
    the column of whose it is; without one the prefix has it, and without that the whole database is one session's.
    Creds are a row of the same table, under `creds` as its key (or `type`/`id`), or stand in a table of their own
    (`creds_table`, where `creds_key` names the column that holds `creds`); `creds_field` is where a JSON object holds
    them, and `creds_row` a column that no default fills: a row that is made has the tenant there as well. Without a
    `table` only creds stand there. `time` and `creds_time` are columns of the last write, in SQL's own type; `expires`
    is one after which the program's own cleaner takes a row.
    """

    table: str
    value: str
    codec: str = "json"
    tenant: str = ""
    key: str = ""
    prefix: str = ""
    type: str = ""
    id: str = ""
    ids: str = "true"
    creds: str = "creds"
    creds_table: str = ""
    creds_tenant: str = ""
    creds_value: str = ""
    creds_key: str = ""
    creds_field: str = ""
    creds_row: str = ""
    time: str = ""
    creds_time: str = ""
    expires: str = ""
    source: str = ""

    @property
    def is_of_one(self) -> bool:
        """Whether a whole database is one session's."""
        return not self.tenant and not self.prefix


class RedisMap(NamedTuple):
    """Keys of the records of all sessions: a `hash` a session with a field a record, or a `key` a record.

    Both are templates with {tenant}, and `key` has {name}. A field, and {name}, is `<type>-<id>`; creds are `creds`,
    or stand in a table of another store (`creds_table` and what goes with it, as in `SqlMap`).
    """

    hash: str = ""
    key: str = ""
    codec: str = "json"
    ids: str = "true"
    creds: str = "creds"
    creds_table: str = ""
    creds_tenant: str = ""
    creds_value: str = ""
    creds_row: str = ""
    source: str = ""


PRESETS: Mapping[str, SqlMap | RedisMap] = {
    "ai-admin": SqlMap(
        "whatsapp_keys",
        "value",
        "jsonb-array",
        tenant="company_id",
        type="key_type",
        id="key_id",
        creds_table="whatsapp_auth",
        creds_tenant="company_id",
        creds_value="creds",
        time="updated_at",
        creds_time="updated_at",
        expires="expires_at",
        source="vosarsen/ai_admin_v2 d95a3dc8 src/integrations/whatsapp/auth-state-timeweb.js",
    ),
    "baileys-sqlite": SqlMap(
        "signal_keys",
        "value",
        type="type",
        id="id",
        creds="__creds__",
        creds_table="creds",
        creds_value="value",
        creds_key="key",
        source="WhiskeySockets/Baileys develop e70697f6 use-sqlite-auth-state.ts",
    ),
    "postgres-baileys": SqlMap(
        "auth_data",
        "data",
        "array",
        key="session_key",
        prefix=f"{TENANT}:",
        creds="auth_creds",
        source="npm postgres-baileys 1.5.0",
    ),
    "keyv": SqlMap(
        "keyv",
        "value",
        "keyv",
        key="key",
        prefix=f"keyv:{TENANT}:",
        source="npm @rodrigogs/baileys-store 2.0.0 with @keyv/postgres or @keyv/sqlite",
    ),
    "prisma-session": SqlMap(
        "Session",
        "data",
        tenant="sessionId",
        key="id",
        ids="fixed",
        source="ookamiiixd/baileys-store f4122aaa, and what descends from it",
    ),
    "ticketz": SqlMap(
        "BaileysKeys",
        "value",
        tenant="whatsappId",
        type="type",
        id="key",
        creds_table="Whatsapps",
        creds_tenant="id",
        creds_value="session",
        creds_field="creds",
        source="ticketz-oss/ticketz fc405f6f",
    ),
    "baileys-redis-auth": RedisMap(
        hash=f"{TENANT}:auth",
        ids="fixed",
        source="hbinduni/baileys-redis-auth b9f7fc01 useRedisAuthStateWithHSet",
    ),
    "baileys-redis-auth-keys": RedisMap(
        key=f"{TENANT}:{{name}}", ids="fixed", source="hbinduni/baileys-redis-auth b9f7fc01 useRedisAuthState"
    ),
    "fazer": RedisMap(
        hash=f"@baileys-api:connections:{TENANT}:authState",
        source="fazer-ai/baileys-api c40c39d1 src/baileys/redisAuthState.ts",
    ),
    "evolution": RedisMap(
        hash=f"evolution:instance:{TENANT}",
        codec="json-string",
        source="EvolutionAPI/evolution-api 3454bec7 src/utils/use-multi-file-auth-state-redis-db.ts, and .env.example",
    ),
    "evolution-mixed": RedisMap(
        hash=f"evolution:instance:{TENANT}",
        codec="json-string",
        creds_table="Session",
        creds_tenant="sessionId",
        creds_value="creds",
        creds_row="id",
        source="EvolutionAPI/evolution-api 3454bec7 use-multi-file-auth-state-prisma.ts, with CACHE_REDIS_ENABLED",
    ),
    "unoapi": RedisMap(key=f"unoapi-auth:{TENANT}:{{name}}", source="clairton/unoapi-cloud d0ef5f89"),
    "keyv-redis": RedisMap(
        key=f"keyv::keyv:{TENANT}:{{name}}",
        codec="keyv",
        source="npm @rodrigogs/baileys-store 2.0.0 with @keyv/redis",
    ),
}
"""Programs by the name of their layout in the settings."""

OPTIONS = tuple(
    dict.fromkeys(field for one in (SqlMap, RedisMap) for field in one._fields if field != "source")
)
"""What a root of a store can say of its layout."""
_NAMES = re.compile(r"[^\0\"%]{1,63}")
_IDS = ("true", "fixed")


def scheme_of(address: str) -> str:
    """Return the scheme of an address, as it was written."""
    return address.partition("://")[0].lower() if "://" in address else ""


def mapping_of(spec: StoreSpec) -> SqlMap | RedisMap:
    """Given a root of a store, return how its records are laid out. Raise ValueError, in words, where that is not said
    or does not go together."""
    scheme = scheme_of(spec.address)
    wanted: type[SqlMap] | type[RedisMap] = RedisMap if scheme in REDIS_SCHEMES else SqlMap
    given = dict(spec.options)
    preset = _preset(spec.preset, scheme)
    if preset is None and not given:
        known = ", ".join(name for name, one in PRESETS.items() if isinstance(one, wanted))
        raise ValueError(f"neither a preset nor a table is named; the presets of {scheme} are {known}")
    if strange := [key for key in given if key not in wanted._fields]:
        raise ValueError(f"{strange[0]}: a store in {scheme} has no such thing")
    if preset is None:
        needed = ("table", "value") if wanted is SqlMap else ()
        if missing := [key for key in needed if not given.get(key)]:
            raise ValueError(
                f"{missing[0]} is missing: docs/stores.md has the recipe of a table of one's own"
            )
        made: SqlMap | RedisMap = wanted(**given)
    else:
        made = preset._replace(**given)
    _check(made)
    is_mixed = isinstance(made, RedisMap) and bool(made.creds_table)
    if is_mixed is not (spec.creds is not None):
        raise ValueError(
            "creds_store (--creds-to) is missing: where the creds are, for example postgres://bot@localhost/evolution"
            if is_mixed
            else "creds_store goes with a layout that has its creds in another store, such as evolution-mixed"
        )
    return made


def creds_map(mapped: RedisMap) -> SqlMap:
    """Given a layout that has its creds in another store, return how they are laid out there."""
    return SqlMap(
        "",
        "",
        mapped.codec,
        tenant=mapped.creds_tenant,
        creds_table=mapped.creds_table,
        creds_tenant=mapped.creds_tenant,
        creds_value=mapped.creds_value,
        creds_row=mapped.creds_row,
    )


def _preset(name: str, scheme: str) -> SqlMap | RedisMap | None:
    if not name:
        return None
    if name == "keyv" and scheme in REDIS_SCHEMES:
        name = "keyv-redis"
    if name not in PRESETS:
        raise ValueError(
            f"invalid preset {quoted(name)}: it has to be one of {', '.join(PRESETS)}{did_you_mean(name, PRESETS)}"
        )
    preset = PRESETS[name]
    if isinstance(preset, RedisMap) is not (scheme in REDIS_SCHEMES):
        is_in = "Redis" if isinstance(preset, RedisMap) else "SQL"
        raise ValueError(f"the preset {name} is of a store in {is_in}, and the address is one of {scheme}")
    return preset


def _check(made: SqlMap | RedisMap) -> None:
    if made.codec not in CODECS:
        raise ValueError(
            f"invalid codec {quoted(made.codec)}: it has to be one of {', '.join(CODECS)}"
            f"{did_you_mean(made.codec, CODECS)}"
        )
    if made.ids not in _IDS:
        raise ValueError(f"invalid ids {quoted(made.ids)}: it has to be true or fixed")
    if isinstance(made, RedisMap):
        if bool(made.hash) == bool(made.key):
            raise ValueError("give hash (a hash for each session) or key (a key for each record)")
        template = made.hash or made.key
        if template.count(TENANT) > 1 or (made.key and not made.key.endswith("{name}")):
            raise ValueError(f"{quoted(template)}: {{tenant}} stands once, and a key ends with {{name}}")
        if made.key and TENANT not in made.key:
            raise ValueError(f"{quoted(template)}: a key without {{tenant}} tells no session from another")
        if made.key and not split_template(made.key)[1]:
            raise ValueError(f"{quoted(template)}: nothing tells where {{tenant}} ends and {{name}} begins")
        apart = (made.creds_table, made.creds_tenant, made.creds_value)
        if any(apart) and not (all(apart) and made.hash):
            raise ValueError(
                "creds in another store: a hash, and creds_table with creds_tenant and creds_value"
            )
        _check_names(made, ("creds_table", "creds_tenant", "creds_value", "creds_row"))
        return
    if bool(made.key) == bool(made.type and made.id) or bool(made.type) != bool(made.id):
        raise ValueError("give key (one column with <type>-<id>), or both type and id")
    if made.prefix and (not made.key or made.tenant or made.prefix.count(TENANT) != 1):
        raise ValueError("prefix goes with key, without tenant, and has {tenant} in it once")
    columns = ("table", "value", "tenant", "key", "type", "id", "time")
    creds = (name for name in SqlMap._fields if name.startswith("creds_") and name != "creds_field")
    _check_names(made, (*columns, *creds))


def _check_names(made: SqlMap | RedisMap, names: Iterable[str]) -> None:
    for name in names:
        text = getattr(made, name)
        if text and _NAMES.fullmatch(text) is None:
            raise ValueError(f"{name}: {quoted(text)} is no name of a table or a column")


def split_template(template: str) -> tuple[str, str]:
    """Return what stands before and after {tenant} in a template, {name} left out."""
    before, _, after = template.replace("{name}", "").partition(TENANT)
    return before, after


def after_prefix(prefix: str) -> str:
    """Return the first text after all that begin with a prefix, in the order of code points; "" where none is."""
    while prefix:
        prefix, last = prefix[:-1], ord(prefix[-1])
        if last < 0x10FFFF:
            # Halves of a surrogate pair are no characters, and no database holds them.
            return prefix + chr(0xE000 if 0xD7FF <= last < 0xE000 else last + 1)
    return ""


def layout_name(mapped: SqlMap | RedisMap) -> str:
    """Return where in its database a layout is, in one word that has no `#`: its table, or the template of its keys."""
    if isinstance(mapped, SqlMap):
        where = f"{mapped.table or mapped.creds_table}{mapped.prefix and ':' + mapped.prefix}"
    else:
        where = mapped.hash or mapped.key
    return where.replace(TENANT, "*").replace("{name}", "*").replace("#", "_")


def creds_pair(mapped: SqlMap) -> tuple[str, str]:
    """Return type and id under which creds stand in a table of types and ids: `creds`, or `<type>/<id>` as given."""
    type_, slash, key_id = mapped.creds.partition("/")
    return type_, key_id if slash else type_
