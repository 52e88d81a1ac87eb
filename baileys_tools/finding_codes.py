"""The codes of all findings: stable names that alerts, scripts and docs/findings.md rely on.

Whoever adds a finding adds its code here and a section of that name to docs/findings.md; a test holds that the
code, this list and the documentation name the same ones.
"""

from collections.abc import Mapping
from typing import NamedTuple


class CodeInfo(NamedTuple):
    """`worst` is the worst severity that a finding of this code can have; `meaning` says it in one line."""

    worst: str
    meaning: str


NOTICE, WARNING, CRITICAL, EMERGENCY = "notice", "warning", "critical", "emergency"

CODES: Mapping[str, CodeInfo] = {
    # --- creds.json
    "creds-missing": CodeInfo(EMERGENCY, "creds.json is gone, and with it the account's login."),
    "session-moved": CodeInfo(NOTICE, "The session was moved elsewhere, by migrate."),
    "creds-empty": CodeInfo(EMERGENCY, "creds.json has 0 bytes: a write was cut off."),
    "creds-unreadable": CodeInfo(EMERGENCY, "creds.json is no JSON object, or may not be read."),
    "creds-encoding": CodeInfo(
        EMERGENCY, "creds.json has a byte order mark or is UTF-16, which no bot reads."
    ),
    "creds-too-large": CodeInfo(WARNING, "creds.json is too large to be judged."),
    "creds-linked": CodeInfo(WARNING, "creds.json is a symbolic link."),
    "creds-incomplete": CodeInfo(EMERGENCY, "creds.json lacks a part that the bot needs."),
    "creds-form": CodeInfo(CRITICAL, "creds.json has keys in a form that only one version of Baileys reads."),
    "creds-unpaired": CodeInfo(EMERGENCY, "creds.json belongs to no linked device, but the folder to one."),
    "account-twice": CodeInfo(CRITICAL, "Another company's creds.json belongs to the same linked device."),
    "not-linked-yet": CodeInfo(NOTICE, "The folder waits for its first login."),
    # --- how full
    "file-count": CodeInfo(EMERGENCY, "More counted files than a threshold allows."),
    "mostly-lid-mappings": CodeInfo(NOTICE, "Over half of the files are LID mappings, which always stay."),
    # --- keys that miss each other
    "pre-key-last-missing": CodeInfo(
        NOTICE, "The newest pre-key, which Baileys 7 looks for at login, is gone."
    ),
    "pre-keys-gone": CodeInfo(WARNING, "No pre-key is left, though the server hands some out."),
    "pre-keys-growing": CodeInfo(WARNING, "Pre-keys pile up that no server hands out any more."),
    "memory-without-own-key": CodeInfo(
        WARNING, "A group's sender-key-memory stands without the bot's own sender-key."
    ),
    "own-key-without-memory": CodeInfo(NOTICE, "The bot's own sender-key stands without its memory."),
    "lid-mapping-without-twin": CodeInfo(WARNING, "One of the two files of a LID mapping is missing."),
    "app-state-keys-missing": CodeInfo(WARNING, "App state has versions but no key to read it with."),
    "creds-behind-pre-keys": CodeInfo(WARNING, "creds.json counts fewer pre-keys than there are."),
    # --- files that cannot be read
    "key-files-empty": CodeInfo(WARNING, "Key files of 0 bytes: Baileys takes them for missing."),
    "key-files-torn": CodeInfo(WARNING, "Key files that are not whole JSON: Baileys takes them for missing."),
    "key-files-form": CodeInfo(
        CRITICAL, "Pre-keys or sender-keys in a form that a version of Baileys cannot use."
    ),
    "key-files-unreadable": CodeInfo(WARNING, "Key files that the system refuses to read."),
    # --- who can reach the keys
    "keys-readable-by-all": CodeInfo(NOTICE, "Every user of the host can read the keys."),
    "keys-writable-by-all": CodeInfo(WARNING, "Every user of the host can change the keys."),
    "foreign-owner": CodeInfo(CRITICAL, "Key files belong to another user than the bot's."),
    "bot-cannot-write": CodeInfo(CRITICAL, "The bot's process may not write its session folder."),
    "folder-locked": CodeInfo(NOTICE, "A cleanup or restore holds the folder, or left a lock."),
    "lock-held": CodeInfo(WARNING, "Somebody has held the company's lock for longer than any work takes."),
    # --- what does not belong there
    "odd-entries": CodeInfo(WARNING, "Links, FIFOs, folders or the like among the key files."),
    "leftover-files": CodeInfo(NOTICE, "Temporary files or copies lie in the session folder."),
    "unknown-files": CodeInfo(WARNING, "Files that Baileys did not write lie in the session folder."),
    "old-folder-left": CodeInfo(WARNING, "A rollback has left its old folder, a whole session in clear."),
    # --- room
    "folder-large": CodeInfo(WARNING, "The session folder takes more room than any healthy one."),
    "disk-low": CodeInfo(CRITICAL, "The disk of the sessions is nearly full."),
    "inodes-low": CodeInfo(CRITICAL, "The file system of the sessions can hold few more files."),
    "cleanups-remove-little": CodeInfo(NOTICE, "Cleanups have little left to take."),
    # --- backups
    "backup-not-configured": CodeInfo(NOTICE, "No backup repository is configured."),
    "backup-unreadable": CodeInfo(WARNING, "The backup repository cannot be read."),
    "backup-failed": CodeInfo(CRITICAL, "The last backup of the folder failed."),
    "backup-unfit": CodeInfo(CRITICAL, "The folder holds no session that is worth a snapshot."),
    "backup-incomplete": CodeInfo(WARNING, "Key files that the system refused to read are in no snapshot."),
    "snapshot-damaged": CodeInfo(CRITICAL, "Snapshots are not what was written."),
    "snapshot-missing": CodeInfo(WARNING, "There is no whole snapshot of the folder."),
    "snapshot-old": CodeInfo(WARNING, "The folder has changed since its newest snapshot, which is old."),
    "prune-failed": CodeInfo(WARNING, "Old snapshots could not be removed."),
    "copy-failed": CodeInfo(WARNING, "Copies of snapshots elsewhere are behind."),
    "copies-gone": CodeInfo(WARNING, "Copies of snapshots had gone from where they were."),
    "snapshots-not-encrypted": CodeInfo(WARNING, "Whoever reads the snapshots can act as the bots."),
    "secret-key-beside-snapshots": CodeInfo(NOTICE, "This host can decrypt the snapshots it wrote."),
    # --- what `trigger` tells of itself, each time once
    "trigger-begins": CodeInfo(CRITICAL, "A full folder is being cleaned."),
    "trigger-cleaned": CodeInfo(WARNING, "A full folder was cleaned."),
    "trigger-failed": CodeInfo(CRITICAL, "A full folder could not be cleaned."),
    # --- time
    "clock-implausible": CodeInfo(WARNING, "The host's clock does not fit the files."),
    "cleanup-held-silent": CodeInfo(NOTICE, "The bot is off, so cleanups leave its folder alone."),
    "no-activity": CodeInfo(
        CRITICAL, "The bot has written nothing for weeks; a session dies after about 30 days."
    ),
    "no-inbound": CodeInfo(WARNING, "No message has come in for unusually long, though the bot lives."),
    # --- the running bot
    "connection-lost": CodeInfo(CRITICAL, "The bot's API says that it is not connected."),
    "connection-unknown": CodeInfo(NOTICE, "The bot's API does not say whether it is connected."),
    "bot-away": CodeInfo(CRITICAL, "The bot is away, as its log, its process and its API tell together."),
    "process-down": CodeInfo(CRITICAL, "The bot's process does not run."),
    "left-stopped": CodeInfo(CRITICAL, "A run of this tool stopped the bot, and did not start it again."),
    "process-unknown": CodeInfo(WARNING, "Nobody can say whether the bot's process runs."),
    "recovery-due": CodeInfo(CRITICAL, "A bot is away, and recover could try to bring it back."),
    "needs-person": CodeInfo(CRITICAL, "A bot is away, and only a person can bring it back."),
    "recovered": CodeInfo(NOTICE, "recover has brought a bot back."),
    "restart-burst": CodeInfo(WARNING, "The bot's process was restarted again and again."),
    # --- the bot's log
    "device-removed": CodeInfo(EMERGENCY, "WhatsApp removed the device: the session is dead."),
    "two-processes": CodeInfo(CRITICAL, "Two processes push each other out of one session."),
    "reconnects-many": CodeInfo(WARNING, "The bot had to connect again too often."),
    "session-burst": CodeInfo(WARNING, "Many contacts began their sessions anew within an hour."),
    "log-silent": CodeInfo(WARNING, "The bot's log has been silent for unusually long."),
    "connection-not-back": CodeInfo(WARNING, "The connection ended, and the log shows no opening since."),
    "messages-unreadable": CodeInfo(CRITICAL, "More messages than usual cannot be read."),
    "group-keys-stale": CodeInfo(WARNING, "Members of a group ask again and again: they lack the bot's key."),
    "log-not-understood": CodeInfo(
        WARNING, "A log speaks of Baileys in a form that is not read, or of other sessions alone."
    ),
    "log-unreadable": CodeInfo(WARNING, "A log that the settings name cannot be read."),
    # --- sessions in databases
    "store-unsafe": CodeInfo(
        WARNING, "A database can lose keys of all its sessions, or shows them to others."
    ),
    "store-tenants-twice": CodeInfo(WARNING, "A database holds a tenant twice, and one of them is stale."),
    "store-tenants-passed-by": CodeInfo(
        WARNING, "A database holds tenants that are called as no company can be."
    ),
    "store-keys-expire": CodeInfo(WARNING, "Records that have to stay will be removed at a set time."),
    "store-rows-misfiled": CodeInfo(WARNING, "Rows are filed under half a type, where no bot finds them."),
    "store-half-changed": CodeInfo(CRITICAL, "A command died between the keys and the creds of two stores."),
    "store-values-unread": CodeInfo(WARNING, "Values of a session cannot be read with the codec given."),
    "store-rows-unknown": CodeInfo(WARNING, "Rows of a session are of no type that Baileys has."),
    # --- what cannot be watched
    "folder-gone": CodeInfo(CRITICAL, "A session folder that was there has vanished."),
    "folder-unreadable": CodeInfo(CRITICAL, "A session folder cannot be opened or listed."),
    "no-companies": CodeInfo(EMERGENCY, "No session folder was found at the sessions path."),
    "alerts-undelivered": CodeInfo(NOTICE, "Alerts could not be delivered and wait."),
    "state-unreadable": CodeInfo(WARNING, "The state database cannot be used; nothing is remembered."),
    "state-new": CodeInfo(NOTICE, "There was no state database; a new one begins."),
}
