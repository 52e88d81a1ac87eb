"""Every setting, once: name, type, default, floor, flag, environment variables and what it means.

Reading, checking, `config show`, `config init` and docs/configuration.md all come from these classes. To add
a setting, add a line to its section; to add a section, add a class and its field in `Settings`. A variable
that operators already use is one more word in `env`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Self

from baileys_tools.config.bot_kinds import ENDPOINT, LINE, PRESET, PRESETS, URL, WHEN_CONNECTED
from baileys_tools.config.companies import Owners
from baileys_tools.config.kinds import (
    AGE_OR_KEEP,
    AGE_OR_OFF,
    BOOLEAN,
    COMPANY_IDS,
    COPY_TARGETS,
    COUNT,
    COUNT_OR_OFF,
    COUNTED,
    DURATION,
    HEADERS,
    KEY_FILE,
    PATH,
    SCHEDULE,
    SECRET,
    SECRET_URL,
    SECRETS,
    SIZE,
    TEXTS,
    Secret,
)
from baileys_tools.config.log_kinds import LOG_FILES, LogFile
from baileys_tools.config.ping_kind import PINGS
from baileys_tools.config.root_kinds import ROOTS
from baileys_tools.config.section import Schema, Section, setting
from baileys_tools.layouts import RootSpec, SessionsPath
from baileys_tools.limits import Gentle, Limits, Policy
from baileys_tools.thresholds import Thresholds


class Sessions(Section, name="sessions"):
    """Where the session folders of the bots are."""

    path: str | None = setting(
        default=None,
        kind=PATH,
        about="The folder that holds the session folders (`company_<id>`, or any name), or the session folder of a "
        "single bot. With a star it is a pattern: `/srv/bots/*/auth`.",
        flag="--sessions",
        env=("BAILEYS_SESSIONS_PATH", "SESSION_PATH"),
        default_text="none",
    )
    roots: tuple[RootSpec, ...] = setting(
        default=(),
        kind=ROOTS,
        about="More than one folder, or another layout (docs/layouts.md): a list of `{path, folders, name, layout, "
        "follow_links}`, of which `path` is enough; or a database: `{store, preset, ...}` (docs/stores.md).",
        flag="--sessions",
        default_text="none",
    )
    companies: tuple[str, ...] = setting(
        default=(),
        kind=COMPANY_IDS,
        about="The companies to work on when no --company is given. One that is not there stops no other.",
        flag="--company",
        env=("COMPANY_ID",),
        default_text="all",
    )
    multitenancy: bool | None = setting(
        default=None,
        kind=BOOLEAN,
        about="true: the folder holds `company_<id>` folders. false: it is one session folder itself. "
        "Not given: it is one session folder when it holds `creds.json`, or other key files and no `company_<id>`.",
        env=("ENABLE_MULTITENANCY",),
        default_text="detected",
    )

    @property
    def where(self) -> str | None:
        """The sessions path with all roots that it stands for, None where none is given."""
        if not self.roots:
            return self.path
        return SessionsPath(*([] if self.path is None else [RootSpec(self.path)]), *self.roots)


class Cleanup(Section, name="cleanup"):
    """What a cleanup removes by age, and for how long it can be undone."""

    dry_run: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Only show what a cleanup would remove.",
        flag="--dry-run/--no-dry-run",
        env=("DRY_RUN",),
        for_all=True,
    )
    session_max_age: timedelta = setting(
        default=timedelta(days=14),
        kind=DURATION,
        about="`session-*` files older than this are removed.",
        flag="--session-max-age",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        default=timedelta(days=3),
        kind=DURATION,
        about="`sender-key-*` files older than this are removed, the bot's own a run after its memory.",
        flag="--sender-key-max-age",
        at_least=timedelta(days=1),
    )
    device_lists: timedelta | None = setting(
        default=None,
        kind=AGE_OR_KEEP,
        about="`device-list-*` files older than this are removed where no session of that number stands. In an "
        "emergency they go in any case.",
        at_least=timedelta(days=1),
    )
    identity_keys: timedelta | None = setting(
        default=None,
        kind=AGE_OR_KEEP,
        about="`identity-key-*` files older than this are removed where their session is gone. In an emergency they "
        "go in any case.",
        at_least=timedelta(days=1),
    )
    until: int | None = setting(
        default=None,
        kind=COUNT_OR_OFF,
        about="Remove nothing while this many files or fewer stand that can go: sessions, sender-keys, and pre-keys "
        "beyond those that stay; else of what the limits allow what was used least lately, down to 10 below. A memory "
        "is one with its key.",
        flag="--until",
        at_least=20,
    )
    active_group: timedelta | None = setting(
        default=None,
        kind=AGE_OR_OFF,
        about="The limit of sender-keys of a group in which anybody wrote within `cleanup.sender_key_max_age`.",
        at_least=timedelta(days=1),
    )
    keep_own_keys: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Keep the bot's own sender-key and memory of a group that lives: somebody wrote there within "
        "`cleanup.sender_key_max_age`, or the bot within `cleanup.session_max_age`.",
    )
    returners: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Give what was removed and came back twice the limit, and twice that each further time, up to 60 days. "
        "The state remembers it; without one the limits are the usual ones.",
    )
    snapshot_first: bool = setting(
        default=True,
        kind=BOOLEAN,
        about="Take a snapshot of a folder before files are removed from it. Needs `backup.path`.",
    )
    when_connected: str = setting(
        default="allow",
        kind=WHEN_CONNECTED,
        about="What a cleanup does with a company whose bot is connected: `allow` cleans it, which is safe, `skip` "
        "leaves it for another time. `skip` needs `bot_api`.",
    )
    silence: timedelta = setting(
        default=timedelta(days=3),
        kind=DURATION,
        about="A folder in which nothing was written for longer than this is held: its bot is off, and what waits for "
        "it needs every key. 0 holds none.",
    )
    undo_window: timedelta = setting(
        default=timedelta(hours=24),
        kind=DURATION,
        about="How long removed files stay in quarantine for `undo`. 0 unlinks them at once.",
    )


class PreKeys(Section, name="pre_keys"):
    """How many pre-keys stay."""

    keep: int = setting(
        default=50,
        kind=COUNT,
        about="The pre-keys with the highest ids that stay; the others are removed.",
        flag="--max-pre-keys",
        at_least=30,
    )
    guard: bool = setting(
        default=True,
        kind=BOOLEAN,
        about="Keep a large upload of pre-keys whole: the server still hands them out to new contacts.",
        flag="--pre-key-guard/--no-pre-key-guard",
    )


class Emergency(Section, name="emergency"):
    """The stricter rules for a folder that stays at or above `thresholds.danger` after the normal ones."""

    session_max_age: timedelta = setting(
        default=timedelta(days=7),
        kind=DURATION,
        about="`session-*` files older than this are removed.",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        default=timedelta(days=1),
        kind=DURATION,
        about="`sender-key-*` files older than this are removed.",
        at_least=timedelta(days=1),
    )
    pre_keys_keep: int = setting(
        default=30, kind=COUNT, about="The pre-keys with the highest ids that stay.", at_least=30
    )


class ThresholdSettings(Section, name="thresholds"):
    """From how many counted files on a folder is at which level. Each has to be above the one before."""

    warning: int = setting(default=150, kind=COUNT, about="From here on: warning.")
    critical: int = setting(default=170, kind=COUNT, about="From here on: critical.")
    trigger: int = setting(default=175, kind=COUNT, about="From here on: time for a cleanup.")
    emergency: int = setting(default=180, kind=COUNT, about="From here on: emergency.")
    danger: int = setting(default=185, kind=COUNT, about="Above this: danger.")

    count: str = setting(
        default="all",
        kind=COUNTED,
        about="What counts: `all` kinds, or only the `removable` ones, which a rule in force removes at some age or "
        "number. A level that no cleanup can lower is then no level.",
    )
    learn: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Raise the levels of a folder that usually has more: `warning` begins a fourth, and 20 files at least, "
        "above the median of its last 14 days, and the others as far above that as they are here.",
    )


class Health(Section, name="health"):
    """From where on `inspect` and `monitor-once` call something a finding (docs/findings.md)."""

    inactive_warning: timedelta = setting(
        default=timedelta(days=14),
        kind=DURATION,
        about="A bot that has written nothing for so long: warning.",
    )
    inactive_critical: timedelta = setting(
        default=timedelta(days=25),
        kind=DURATION,
        about="The same, and critical: a device that stays away for about 30 days is unlinked.",
    )
    snapshot_max_age: timedelta = setting(
        default=timedelta(hours=26),
        kind=DURATION,
        about="How old the newest snapshot of a folder may be that has changed since. Needs `backup.path`.",
    )
    largest_folder: int = setting(
        default=150_000_000, kind=SIZE, about="A session folder above this size: warning."
    )
    free_disk: int = setting(
        default=500_000_000,
        kind=SIZE,
        about="Less free space where the sessions are: warning; less than a tenth of it: critical.",
        for_all=True,
    )
    free_inodes: int = setting(
        default=10_000,
        kind=COUNT,
        about="Room for fewer files there: warning; for fewer than a tenth of it: critical.",
        for_all=True,
    )


class Trigger(Section, name="trigger"):
    """How often `trigger` cleans a folder that reached `thresholds.trigger`, or `thresholds.danger`."""

    cooldown: timedelta = setting(
        default=timedelta(hours=6),
        kind=DURATION,
        about="A folder is not cleaned again before this has passed.",
        at_least=timedelta(minutes=30),
    )
    emergency_cooldown: timedelta = setting(
        default=timedelta(minutes=30),
        kind=DURATION,
        about="The same for a folder with `thresholds.danger` counted files or more.",
        at_least=timedelta(minutes=30),
    )
    lock_file: str | None = setting(
        default=None,
        kind=PATH,
        about="The lock that keeps `trigger` to one process. Name that of an older script to take turns with it.",
        default_text="`trigger.lock` in `state.dir`",
        for_all=True,
    )


class Locks(Section, name="locks"):
    """What is said of the lock of a company that somebody else holds: one work at a time is done on a folder."""

    patience: timedelta = setting(
        default=timedelta(hours=1),
        kind=DURATION,
        about="A lock that is held for longer is a finding, and a failure of what could not be done because of it.",
        at_least=timedelta(seconds=1),
    )


class Monitor(Section, name="monitor"):
    """What `monitor-once` does besides looking."""

    auto_cleanup: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Clean a folder at `thresholds.emergency` or above, as `trigger` would, at most every 30 minutes.",
        env=("AUTO_CLEANUP",),
    )
    textfile: str | None = setting(
        default=None,
        kind=PATH,
        about="Write the metrics for Prometheus into this file, for the textfile collector of node_exporter.",
        flag="--textfile",
        default_text="none",
        for_all=True,
    )


class Keeping(Section):
    """Which snapshots stay: of the repository and of its copies, each with its own defaults."""

    keep_last: int = setting(default=12, kind=COUNT, about="Keep the newest, this many.")
    keep_within: timedelta = setting(
        default=timedelta(),
        kind=DURATION,
        about="Keep all that are at most this much older than the newest one.",
    )
    keep_hourly: int = setting(
        default=0, kind=COUNT, about="Keep the newest of an hour, for this many hours."
    )
    keep_daily: int = setting(default=0, kind=COUNT, about="Keep the newest of a day, for this many days.")
    keep_weekly: int = setting(default=0, kind=COUNT, about="Keep the newest of a week, for this many weeks.")
    keep_monthly: int = setting(
        default=0, kind=COUNT, about="Keep the newest of a month, for this many months."
    )
    keep_tagged: int = setting(
        default=3,
        kind=COUNT,
        about="Keep the newest that have a tag, this many, and as many from before a restore or a reset.",
    )


class Backup(Keeping, name="backup", defaults={"keep_hourly": 24, "keep_daily": 7, "keep_weekly": 4}):
    """Where snapshots of the session folders go, who can read them, and which stay.

    A snapshot stays when any rule keeps it. With all `keep_` rules at 0, nothing is ever removed.
    """

    path: str | None = setting(
        default=None,
        kind=PATH,
        about="The backup repository: a folder of its own, made with mode 0700.",
        env=("BAILEYS_TOOLS_BACKUP_PATH",),
        default_text="none",
        for_all=True,
    )
    recipients: tuple[str, ...] = setting(
        default=(),
        kind=TEXTS,
        about="age public keys (`age1...`, `ssh-ed25519 ...`) that snapshots are encrypted to. This host needs no "
        "secret key.",
        default_text="none: snapshots are not encrypted",
        for_all=True,
    )
    identity_file: str | None = setting(
        default=None,
        kind=KEY_FILE,
        about="The age secret key that opens snapshots, for `restore` and `verify --deep`. Better kept elsewhere.",
        flag="--identity",
        default_text="none",
        for_all=True,
    )
    copies: tuple[str, ...] = setting(
        default=(),
        kind=COPY_TARGETS,
        about="Where each snapshot is copied to: `sftp://user@host/folder`, `s3://bucket/folder`, `file:///mnt/disk`.",
        default_text="none",
        for_all=True,
    )
    minimum: int = setting(
        default=3,
        kind=COUNT,
        about="Whole snapshots of a company that stay whatever the rules say.",
        at_least=1,
    )


class Copies(Keeping, name="copies", defaults={"keep_daily": 14, "keep_weekly": 8, "keep_monthly": 6}):
    """Which snapshots stay at the places of `backup.copies`, and how long to wait for those."""

    minimum: int = setting(
        default=3, kind=COUNT, about="Snapshots of a company that stay whatever the rules say.", at_least=1
    )
    timeout: timedelta = setting(
        default=timedelta(seconds=30),
        kind=DURATION,
        about="How long to wait for an answer from such a place.",
        at_least=timedelta(seconds=1),
    )


class StateSettings(Section, name="state"):
    """Where this tool keeps what it remembers between runs."""

    dir: str = setting(
        default="/var/lib/baileys-tools",
        kind=PATH,
        about="The folder of the state database.",
        env=("BAILEYS_TOOLS_STATE_DIR",),
        default_text="/var/lib/baileys-tools for root, else ~/.local/state/baileys-tools",
    )


class Notify(Section, name="notify"):
    """Whom alerts go to, and how often the same one is told again. Any number of these may be given.

    Each is tried by itself: what one cannot deliver waits for its next run, and the others are not told again.
    """

    webhook: Secret | None = setting(
        default=None,
        kind=SECRET_URL,
        about="An address that takes each alert as JSON by POST: `text`, `level` and the facts.",
        env=("NOTIFICATION_WEBHOOK",),
        default_text="none",
    )
    telegram_bot_token: Secret | None = setting(
        default=None,
        kind=SECRET,
        about="The token of a Telegram bot. Needs `notify.telegram_chat_id`.",
        env=("TELEGRAM_BOT_TOKEN",),
        default_text="none",
    )
    telegram_chat_id: Secret | None = setting(
        default=None,
        kind=SECRET,
        about="The Telegram chat that the bot writes to.",
        env=("TELEGRAM_CHAT_ID",),
        default_text="none",
    )
    telegram_api: str = setting(
        default="https://api.telegram.org", kind=URL, about="Where the Telegram Bot API is."
    )
    urls: tuple[Secret, ...] = setting(
        default=(),
        kind=SECRETS,
        about="Apprise addresses (`mailto://...`, `ntfy://...`, `discord://...`). Needs "
        "`pipx inject baileys-tools apprise requests`.",
        default_text="none",
    )
    warning_every: timedelta = setting(
        default=timedelta(hours=1),
        kind=DURATION,
        about="How often a warning that lasts is told again.",
        at_least=timedelta(minutes=1),
    )
    critical_every: timedelta = setting(
        default=timedelta(minutes=30),
        kind=DURATION,
        about="How often a critical finding that lasts is told again.",
        at_least=timedelta(minutes=1),
    )
    emergency_every: timedelta = setting(
        default=timedelta(minutes=15),
        kind=DURATION,
        about="How often an emergency that lasts is told again.",
        at_least=timedelta(minutes=1),
    )

    @property
    def has_channel(self) -> bool:
        """Whether there is anybody to tell."""
        telegram = self.telegram_bot_token is not None and self.telegram_chat_id is not None
        return bool(self.webhook is not None or self.urls or telegram)

    host: str | None = setting(
        default=None,
        kind=LINE,
        about="What alerts call this host.",
        default_text="its own name",
        for_all=True,
    )


class Ping(Section, name="ping"):
    """Dead-man's pings, as healthchecks.io takes them, for the commands that cron runs.

    At the start `/start` is added to the address, at a failure `/fail`. Who watches the pings notices what no alert
    can tell: that nothing runs any more.
    """

    url: Secret | None = setting(
        default=None,
        kind=PINGS,
        about="The address. `{command}` in it is the command's name (`https://hc-ping.com/<ping-key>/{command}`): one "
        "address for all could not tell which one stopped. Or addresses of their own, one to a line as "
        "`cleanup: https://...`, or as keys and values; what is not named is not pinged.",
        default_text="none",
    )


class BotApiSettings(Section, name="bot_api"):
    """The HTTP API of the bots: whether they are connected, and what to ask of them.

    A preset knows the requests of one program; what is given here besides is stronger. A request is `GET /path`,
    or a mapping with `request`, `body` and, in JMESPath, where its answer says `connected`, `connecting`,
    `disconnected`, `has_qr` (each has to come out as true), `user`, `code` (of a QR or a pairing code) and `ok`.
    `{company}` stands for `bot_api.name` in a path and a body, `{number}` and `{message}` for what is sent.
    """

    preset: str | None = setting(
        default=None,
        kind=PRESET,
        about="The program that serves the API, one of " + ", ".join(f"`{name}`" for name in PRESETS) + ".",
        default_text="none",
    )
    url: str | None = setting(
        default=None,
        kind=URL,
        about="Where the API is: the part of the address before the path.",
        env=("API_URL",),
        default_text="none: nobody is asked",
    )
    name: str | None = setting(
        default=None,
        kind=LINE,
        about="What the API calls this company, where that is not its id.",
        default_text="the company's id",
    )
    token: Secret | None = setting(
        default=None,
        kind=SECRET,
        about="The key of the API, sent in the header that the preset knows, else as `Authorization: Bearer`.",
        default_text="none",
    )
    headers: Secret | None = setting(
        default=None,
        kind=HEADERS,
        about="More headers to send, as `Name: value` with a line for each.",
        default_text="none",
    )
    status: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request that tells whether a company is connected.",
        default_text="the preset's",
    )
    reconnect: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request that makes a bot connect again with the session it has.",
        default_text="the preset's",
    )
    init: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request that starts a session, with a QR code where there is none yet.",
        default_text="the preset's",
    )
    qr: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request whose `code` is the text of the QR code, or a PNG of it in base64.",
        default_text="the preset's",
    )
    pairing_code: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request whose `code` is typed into the phone instead of a QR code.",
        default_text="the preset's",
    )
    send: Mapping[str, Any] | None = setting(
        default=None,
        kind=ENDPOINT,
        about="The request that sends a message.",
        default_text="the preset's",
    )
    timeout: timedelta = setting(
        default=timedelta(seconds=10),
        kind=DURATION,
        about="How long a whole request may take.",
        at_least=timedelta(seconds=1),
    )


class ProcessSettings(Section, name="process"):
    """The process of the bots, for `monitor-once`, `restore` and `recover`. `{company}` stands for the id."""

    pm2: str | None = setting(
        default=None, kind=LINE, about="Its name in PM2 (`pm2 jlist`).", default_text="none"
    )
    systemd: str | None = setting(
        default=None, kind=LINE, about="Its systemd unit (`systemctl show`).", default_text="none"
    )
    pidfile: str | None = setting(
        default=None, kind=PATH, about="The file that holds its process id.", default_text="none"
    )
    restart: bool = setting(
        default=True,
        kind=BOOLEAN,
        about="Let `recover` restart it, by PM2 or systemd. Behind a pidfile nothing can be restarted.",
    )
    restart_burst: int = setting(
        default=3,
        kind=COUNT,
        about="From so many restarts between two looks on, they are a finding.",
        at_least=1,
    )


class Logs(Section, name="logs", list_key="files"):
    """The bots' logs, of which events are counted and no text is kept. A list here is `logs.files`."""

    files: tuple[LogFile, ...] = setting(
        default=(),
        kind=LOG_FILES,
        about="The logs, each with `path` and `company`; or a path with `{company}` in it for all of them; or, in a "
        "log that several share, `session`: the key under which each line names its session, or a pattern with one "
        "group. In place of `path`: `journal` (a systemd unit; with `directory` where its files are elsewhere), "
        "`docker` (a container) or `pm2` (a process of this user's PM2). As text: `1001=/srv/bot/1001.log`, "
        "`/srv/bot/{company}.log`, `1001=docker:shop` or `journal:bot@{company}.service`.",
        default_text="none: no log is read",
        for_all=True,
    )
    reconnects_per_day: int = setting(
        default=10,
        kind=COUNT,
        about="More reconnects than this in 24 hours are a finding.",
        at_least=1,
    )
    session_bursts: int = setting(
        default=50,
        kind=COUNT,
        about="From so many sessions on that contacts began anew in one hour, it is a finding.",
        at_least=1,
    )
    unreadable_per_hour: int = setting(
        default=100,
        kind=COUNT,
        about="From so many messages an hour on that cannot be read, it is a finding; ten times as many are critical.",
        at_least=1,
    )


class Recover(Section, name="recover"):
    """How far `recover` goes by itself."""

    auto: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Let `recover` act without a yes, on steps that destroy nothing. Else it only says what it would do.",
    )
    tries: int = setting(default=5, kind=COUNT, about="How often it asks a bot to reconnect.", at_least=1)
    first_delay: timedelta = setting(
        default=timedelta(seconds=5),
        kind=DURATION,
        about="How long it waits after the first try; twice as long after each further one.",
    )
    wait: timedelta = setting(
        default=timedelta(minutes=1),
        kind=DURATION,
        about="How long it gives a bot that is restarting, or was restarted, to connect.",
    )


class Cron(Section, name="cron"):
    """When `cron install` has each job run: five fields as in crontab(5), in the host's local time, or `off`.

    A time that is given stands as written; the default ones are moved by some minutes from host to host.
    """

    monitor: str = setting(default="* * * * *", kind=SCHEDULE, about="When `monitor-once` runs.")
    trigger: str = setting(default="*/30 * * * *", kind=SCHEDULE, about="When `trigger` runs.")
    cleanup: str = setting(default="0 3 * * *", kind=SCHEDULE, about="When `cleanup` runs.")
    backup: str = setting(default="*/5 * * * *", kind=SCHEDULE, about="When `backup` runs.")
    prune: str = setting(default="30 4 * * *", kind=SCHEDULE, about="When `prune` runs.")
    verify: str = setting(default="0 5 * * 0", kind=SCHEDULE, about="When `verify` runs.")
    report: str = setting(default="0 6 * * *", kind=SCHEDULE, about="When `report` runs.")
    recover: str = setting(
        default="*/5 * * * *",
        kind=SCHEDULE,
        about="When `recover` runs; it only alerts unless told otherwise.",
    )
    jitter: timedelta = setting(
        default=timedelta(minutes=10),
        kind=DURATION,
        about="Up to how many minutes a default time is moved, the same each day, by the host's name.",
    )
    log: str | None = setting(
        default=None,
        kind=PATH,
        about="The file that takes what the jobs have to say.",
        default_text="`cron.log` in `state.dir`",
    )
    journal: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Send what the jobs have to say to the journal (`logger -t baileys-tools`) instead of a file.",
    )


class Serve(Section, name="serve"):
    """The live page of `serve`."""

    listen: str = setting(
        default="127.0.0.1:8787",
        kind=LINE,
        about="The address and port of the page.",
        flag="--listen",
    )
    names: tuple[str, ...] = setting(
        default=(),
        kind=TEXTS,
        about="The names under which browsers reach the page, as in `bots.example.org`; IP addresses and `localhost` "
        "always do. Any other name in a request is refused (DNS rebinding).",
        flag="--name",
        default_text="none",
    )
    allow_actions: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Have buttons on the page that run commands: back up, clean, recover, reset and so on.",
        flag="--allow-actions/--no-allow-actions",
    )
    token_file: str | None = setting(
        default=None,
        kind=PATH,
        about="The file of the token that lets people and scripts in; made at the first start.",
        flag="--token-file",
        default_text="`page/token` in `state.dir`",
    )


class Reset(Section, name="reset"):
    """What becomes of a folder that `reset` sets aside."""

    keep: timedelta = setting(
        default=timedelta(days=30),
        kind=DURATION,
        about="How long a folder that was set aside waits for `undo --run`. The next `cleanup` after that removes it.",
        at_least=timedelta(days=1),
    )


ALWAYS_REMOVABLE = frozenset({"pre-key", "session", "sender-key", "sender-key-memory"})
"""Kinds of files that a cleanup removes by default (sessions/rules/keyfiles.py: REMOVED_BY_DEFAULT)."""

PER_COMPANY = (
    *("cleanup", "pre_keys", "emergency", "thresholds", "trigger", "health", "monitor", "backup", "notify"),
    *("bot_api", "process", "logs"),
)
"""The sections of which `companies: {<id>: {<section>: ...}}` in the settings file may give other values."""


class Settings(NamedTuple):
    """Every setting with its value."""

    sessions: Sessions = Sessions()
    cleanup: Cleanup = Cleanup()
    pre_keys: PreKeys = PreKeys()
    emergency: Emergency = Emergency()
    thresholds: ThresholdSettings = ThresholdSettings()
    health: Health = Health()
    monitor: Monitor = Monitor()
    trigger: Trigger = Trigger()
    locks: Locks = Locks()
    backup: Backup = Backup()
    copies: Copies = Copies()
    state: StateSettings = StateSettings()
    notify: Notify = Notify()
    ping: Ping = Ping()
    bot_api: BotApiSettings = BotApiSettings()
    process: ProcessSettings = ProcessSettings()
    logs: Logs = Logs()
    recover: Recover = Recover()
    reset: Reset = Reset()
    cron: Cron = Cron()
    serve: Serve = Serve()
    companies: Owners = Owners()
    """By company id or pattern of ids, the least specific first: values by dotted path that are its own."""
    baselines: Mapping[str, int] = {}
    """By company id: how many counted files it usually has, of those that learn (`frame/baselines.py`)."""
    baseline: int | None = None
    """That of the company that these settings are for."""

    @property
    def levels(self) -> Thresholds:
        """The thresholds as rules compare with them."""
        given, cleanup = self.thresholds, self.cleanup
        counts = None
        if given.count == "removable":
            asked = {"device-list": cleanup.device_lists, "identity-key": cleanup.identity_keys}
            counts = ALWAYS_REMOVABLE.union(kind for kind, age in asked.items() if age is not None)
        levels = Thresholds(
            given.warning, given.critical, given.trigger, given.emergency, given.danger, counts
        )
        return levels if self.baseline is None else levels.learnt(self.baseline)

    @property
    def policy(self) -> Policy:
        """The rules of a cleanup. The emergency limits are never laxer than the normal ones."""
        cleanup, strict = self.cleanup, self.emergency
        normal = Limits(
            cleanup.session_max_age,
            cleanup.sender_key_max_age,
            self.pre_keys.keep,
            cleanup.device_lists,
            cleanup.identity_keys,
        )
        return Policy(
            normal,
            normal._replace(
                session_max_age=min(strict.session_max_age, normal.session_max_age),
                sender_key_max_age=min(strict.sender_key_max_age, normal.sender_key_max_age),
                pre_keys_keep=min(strict.pre_keys_keep, normal.pre_keys_keep),
            ),
            self.pre_keys.guard,
            self.levels,
            cleanup.silence,
            Gentle(cleanup.until, cleanup.active_group, cleanup.keep_own_keys, cleanup.returners),
        )

    @property
    def gives_returners_longer(self) -> bool:
        """Whether any company's cleanup remembers what it removed."""
        return self.cleanup.returners or any(own.get("cleanup.returners") for own in self.companies.values())

    @property
    def tells_anybody(self) -> bool:
        """Whether there is a channel for alerts at all, of all companies or of one."""
        own = (self.for_company(key).notify for key in self.companies.those_with("notify"))
        return any(notify.has_channel for notify in (self.notify, *own))

    def for_company(self, company: str) -> Self:
        """Given a company's id, return the settings that are in force for it."""
        if not self.companies and not self.baselines:
            return self
        own = {path: value for _, path, value in self.companies.own_of(company)}
        baseline = self.baselines.get(company)
        if not own and baseline is None:
            return self
        by_section: dict[str, dict[str, Any]] = {}
        for path, value in own.items():
            section, _, key = path.partition(".")
            by_section.setdefault(section, {})[key] = value
        changed = {name: getattr(self, name).changed(values) for name, values in by_section.items()}
        found = self._replace(**changed)
        return found._replace(baseline=baseline if found.thresholds.learn else None)

    @property
    def learns(self) -> bool:
        """Whether any company's levels are to be raised by what it usually has."""
        return self.thresholds.learn or any(own.get("thresholds.learn") for own in self.companies.values())


ASCENDING = (
    tuple(f"thresholds.{field}" for field in ("warning", "critical", "trigger", "emergency", "danger")),
    ("health.inactive_warning", "health.inactive_critical"),
)
"""Settings of which each has to be above all those before it."""

MANAGERS = ("pm2", "systemd", "pidfile")
"""The settings of `process` of which a company has one at most."""


SCHEMA = Schema(
    Sessions,
    Cleanup,
    PreKeys,
    Emergency,
    ThresholdSettings,
    Trigger,
    Locks,
    Health,
    Monitor,
    Backup,
    Copies,
    StateSettings,
    Notify,
    Ping,
    BotApiSettings,
    ProcessSettings,
    Logs,
    Recover,
    Reset,
    Cron,
    Serve,
    per_company=PER_COMPANY,
)
