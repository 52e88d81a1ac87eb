"""The tables of the state database, as steps from one version to the next.

A step that has been released is never changed: whoever needs another table appends a step.
Times are whole seconds since 1970, UTC; of runs, milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

STEPS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE runs (
            uid TEXT PRIMARY KEY,
            command TEXT NOT NULL,
            started INTEGER NOT NULL,
            finished INTEGER NOT NULL,
            exit_code INTEGER NOT NULL,
            dry_run INTEGER NOT NULL,
            counts TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX runs_by_command ON runs (command, started)",
        # What the last run of each command did in each company.
        """CREATE TABLE company_runs (
            company TEXT NOT NULL,
            command TEXT NOT NULL,
            at INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            PRIMARY KEY (company, command)
        ) WITHOUT ROWID""",
        """CREATE TABLE observations (
            company TEXT NOT NULL,
            at INTEGER NOT NULL,
            files INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            by_kind TEXT NOT NULL,
            bytes INTEGER,
            level TEXT NOT NULL,
            creds TEXT NOT NULL,
            last_activity INTEGER,
            connection TEXT NOT NULL,
            PRIMARY KEY (company, at)
        ) WITHOUT ROWID""",
        """CREATE TABLE cooldowns (
            name TEXT NOT NULL,
            company TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (name, company)
        ) WITHOUT ROWID""",
        """CREATE TABLE alerts (
            company TEXT NOT NULL,
            code TEXT NOT NULL,
            began INTEGER NOT NULL,
            checks INTEGER NOT NULL,
            told INTEGER NOT NULL,
            sent INTEGER,
            sent_severity TEXT NOT NULL,
            message TEXT NOT NULL,
            times INTEGER NOT NULL,
            PRIMARY KEY (company, code)
        ) WITHOUT ROWID""",
        # What waits to be sent, by channel: a row holds the alerts of one run.
        """CREATE TABLE alert_spool (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            channel TEXT NOT NULL,
            at INTEGER NOT NULL,
            alerts TEXT NOT NULL,
            tries INTEGER NOT NULL,
            claimed INTEGER
        )""",
        "CREATE INDEX alert_spool_by_channel ON alert_spool (channel, id)",
        """CREATE TABLE alert_channels (
            channel TEXT PRIMARY KEY,
            failing_since INTEGER,
            said INTEGER,
            not_before INTEGER,
            dropped INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE incidents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            company TEXT NOT NULL,
            opened INTEGER NOT NULL,
            closed INTEGER,
            cause TEXT NOT NULL
        )""",
        "CREATE INDEX incidents_by_company ON incidents (company, opened)",
        """CREATE TABLE incident_entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            incident INTEGER NOT NULL REFERENCES incidents (id),
            at INTEGER NOT NULL,
            what TEXT NOT NULL,
            detail TEXT NOT NULL
        )""",
        "CREATE INDEX incident_entries_by_incident ON incident_entries (incident, at)",
        """CREATE TABLE memory (
            key TEXT NOT NULL,
            company TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (key, company)
        ) WITHOUT ROWID""",
    ),
    (
        # `hour` counts hours since 1970, `event` is a value of bots/rules/log_events.py: LogEvent.
        """CREATE TABLE log_hours (
            company TEXT NOT NULL,
            hour INTEGER NOT NULL,
            event TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (company, hour, event)
        ) WITHOUT ROWID""",
    ),
    (
        # Seconds that a bot was known to be connected (up), and not (down), on a day in UTC.
        """CREATE TABLE link_days (
            company TEXT NOT NULL,
            day TEXT NOT NULL,
            up REAL NOT NULL,
            down REAL NOT NULL,
            PRIMARY KEY (company, day)
        ) WITHOUT ROWID""",
    ),
    (
        # Whether cron, `cron run` or systemd started it.
        "ALTER TABLE runs ADD COLUMN job INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # From here on `company` is a place, or what is about a root as a whole: scope.py.
        """CREATE TABLE places (
            place TEXT PRIMARY KEY,
            name TEXT NOT NULL
        ) WITHOUT ROWID""",
        # What was kept by names waits for its place: adoption.py.
        """INSERT INTO memory SELECT 'to-adopt', '', '1'
            WHERE EXISTS (SELECT 1 FROM memory) OR EXISTS (SELECT 1 FROM observations)
            OR EXISTS (SELECT 1 FROM company_runs) OR EXISTS (SELECT 1 FROM cooldowns)
            OR EXISTS (SELECT 1 FROM alerts) OR EXISTS (SELECT 1 FROM incidents)""",
    ),
    (
        # Who started it by hand: `page` and the number of the action there, '' for whoever typed it.
        "ALTER TABLE runs ADD COLUMN started_by TEXT NOT NULL DEFAULT ''",
    ),
    (
        # When each key of a folder was used (cleanup/rules/uses.py): digests, and minutes since 1970.
        """CREATE TABLE key_uses (
            company TEXT NOT NULL,
            mark TEXT NOT NULL,
            what TEXT NOT NULL,
            in_group TEXT NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            gaps TEXT NOT NULL,
            PRIMARY KEY (company, mark)
        ) WITHOUT ROWID""",
    ),
)
"""Step n brings the database from version n to n + 1 (`PRAGMA user_version`)."""
