BEGIN TRANSACTION;
CREATE TABLE alert_channels (
            channel TEXT PRIMARY KEY,
            failing_since INTEGER,
            said INTEGER,
            not_before INTEGER,
            dropped INTEGER NOT NULL
        ) WITHOUT ROWID;
INSERT INTO "alert_channels" VALUES('webhook',1768474800,1768478400,1768478700,0);
CREATE TABLE alert_spool (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            channel TEXT NOT NULL,
            at INTEGER NOT NULL,
            alerts TEXT NOT NULL,
            tries INTEGER NOT NULL,
            claimed INTEGER
        );
INSERT INTO "alert_spool" VALUES(1,'webhook',1768474800,'[["appeared",1768474800,"1002","creds-empty","emergency","creds.json is empty, beside 1 other file: the bot will take this for a new installation and ask for a QR code","Stop the bot before it writes a new identity, then: baileys-tools restore --company 1002 --dry-run",{"other_files":1},0,1],["appeared",1768474800,"1001","pre-keys-gone","warning","no pre-key is left of those up to 30: the first message of each new chat comes late or not at all","Bring them back: baileys-tools restore --company 1001 --dry-run. Baileys 7 makes new ones at its next login.",{"pre_keys":0,"expected_id":30},0,1],["appeared",1768474800,"gone","pre-keys-gone","warning","no pre-key is left of those up to 30: the first message of each new chat comes late or not at all","Bring them back: baileys-tools restore --company gone --dry-run. Baileys 7 makes new ones at its next login.",{"pre_keys":0,"expected_id":30},0,1]]',0,NULL);
INSERT INTO "alert_spool" VALUES(2,'webhook',1768478400,'[["repeated",1768478400,"1002","creds-empty","emergency","creds.json is empty, beside 1 other file: the bot will take this for a new installation and ask for a QR code","Stop the bot before it writes a new identity, then: baileys-tools restore --company 1002 --dry-run",{"other_files":1},3600,1],["appeared",1768478400,"gone","folder-gone","critical","the session folder @ROOT@/company_gone is gone, and with it a linked session","If that was on purpose, this ends by itself within a day. Else stop the bot, and then: baileys-tools snapshots --company gone",{},0,1],["repeated",1768478400,"1001","pre-keys-gone","warning","no pre-key is left of those up to 30: the first message of each new chat comes late or not at all","Bring them back: baileys-tools restore --company 1001 --dry-run. Baileys 7 makes new ones at its next login.",{"pre_keys":0,"expected_id":30},3600,1]]',0,NULL);
CREATE TABLE alerts (
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
        ) WITHOUT ROWID;
INSERT INTO "alerts" VALUES('1001','pre-keys-gone',1768474800,1,1,1768478400,'warning','no pre-key is left of those up to 30: the first message of each new chat comes late or not at all',1);
INSERT INTO "alerts" VALUES('1002','creds-empty',1768474800,1,1,1768478400,'emergency','creds.json is empty, beside 1 other file: the bot will take this for a new installation and ask for a QR code',1);
INSERT INTO "alerts" VALUES('gone','folder-gone',1768478400,1,1,1768478400,'critical','the session folder @ROOT@/company_gone is gone, and with it a linked session',1);
INSERT INTO "alerts" VALUES('gone','pre-keys-gone',1768474800,1,1,1768474800,'warning','no pre-key is left of those up to 30: the first message of each new chat comes late or not at all',1);
CREATE TABLE company_runs (
            company TEXT NOT NULL,
            command TEXT NOT NULL,
            at INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            PRIMARY KEY (company, command)
        ) WITHOUT ROWID;
INSERT INTO "company_runs" VALUES('1001','backup',1768474800,1);
INSERT INTO "company_runs" VALUES('1001','cleanup',1768474800,3);
INSERT INTO "company_runs" VALUES('1002','backup',1768474800,0);
INSERT INTO "company_runs" VALUES('1002','cleanup',1768474800,0);
CREATE TABLE cooldowns (
            name TEXT NOT NULL,
            company TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (name, company)
        ) WITHOUT ROWID;
INSERT INTO "cooldowns" VALUES('trigger','1001',1768474800);
INSERT INTO "cooldowns" VALUES('trigger','1002',1768474800);
INSERT INTO "cooldowns" VALUES('trigger-begun','1001',1768474800);
INSERT INTO "cooldowns" VALUES('trigger-begun','1002',1768474800);
CREATE TABLE incident_entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            incident INTEGER NOT NULL REFERENCES incidents (id),
            at INTEGER NOT NULL,
            what TEXT NOT NULL,
            detail TEXT NOT NULL
        );
INSERT INTO "incident_entries" VALUES(1,1,1768474800,'seen','creds-lost: creds.json is empty');
CREATE TABLE incidents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            company TEXT NOT NULL,
            opened INTEGER NOT NULL,
            closed INTEGER,
            cause TEXT NOT NULL
        );
INSERT INTO "incidents" VALUES(1,'1002',1768474800,NULL,'creds-lost');
CREATE TABLE link_days (
            company TEXT NOT NULL,
            day TEXT NOT NULL,
            up REAL NOT NULL,
            down REAL NOT NULL,
            PRIMARY KEY (company, day)
        ) WITHOUT ROWID;
INSERT INTO "link_days" VALUES('1001','2026-01-14',80000.0,400.0);
INSERT INTO "link_days" VALUES('1002','2026-01-14',80000.0,400.0);
CREATE TABLE log_hours (
            company TEXT NOT NULL,
            hour INTEGER NOT NULL,
            event TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (company, hour, event)
        ) WITHOUT ROWID;
INSERT INTO "log_hours" VALUES('1001',491243,'opened',3);
INSERT INTO "log_hours" VALUES('1002',491243,'opened',3);
CREATE TABLE memory (
            key TEXT NOT NULL,
            company TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (key, company)
        ) WITHOUT ROWID;
INSERT INTO "memory" VALUES('link','1001','["2026-01-15T11:00:00+00:00","up"]');
INSERT INTO "memory" VALUES('link','1002','["2026-01-15T11:00:00+00:00","up"]');
INSERT INTO "memory" VALUES('looks','','{"root":"@ROOT@","place":"@ROOT@","rules":"0.1.0 HealthRules(thresholds=Thresholds(warning=150, critical=170, trigger=175, emergency=180, danger=185), pre_keys_kept=50, pre_key_guard=True, inactive_warning=datetime.timedelta(days=14), inactive_critical=datetime.timedelta(days=25), snapshot_max_age=datetime.timedelta(days=1, seconds=7200), largest_folder=150000000, free_disk=500000000, free_inodes=10000)","looks":{"1001":[[1795962935839594388,2171144,1768471200000000000,686,2171145,1795962935839640978],false,2,0,{"creds":1,"session":1},"valid",true,1768474800,688,1768471200,0,[["pre-keys-gone","warning","no pre-key is left of those up to 30: the first message of each new chat comes late or not at all","Bring them back: baileys-tools restore --company 1001 --dry-run. Baileys 7 makes new ones at its next login.",{"pre_keys":0,"expected_id":30}]],"",1768474800,2,"",0,"44770090010:1:0"],"1002":[[1795962935839917102,2254943,1768473000000000000,0,2254944,1795962936070713939],false,2,0,{"creds":1,"session":1},"empty",false,1768474800,2,1768473000,0,[["creds-empty","emergency","creds.json is empty, beside 1 other file: the bot will take this for a new installation and ask for a QR code","Stop the bot before it writes a new identity, then: baileys-tools restore --company 1002 --dry-run",{"other_files":1}]],"",1768474800,2,"",0,""],"gone":[[1795962935840134728,2254946,1768471200000000000,686,2254948,1795962935840190792],false,2,0,{"creds":1,"session":1},"valid",true,1768474800,688,1768471200,0,[],"",1768474800,2,"",1768478400,"44770090012:1:2"]}}');
INSERT INTO "memory" VALUES('monitor-said','','{"pre-keys-gone 1001":"warning","creds-empty 1002":"emergency","folder-gone gone":"critical"}');
INSERT INTO "memory" VALUES('monitor-snapshots','','{"path":"/tmp/baileys-tools-fixture/repository","companies":{"1001":[0,"00000002-20260115T100000Z-dc9701ee44d13f985403b5150ba9ab1f.tar.zst",988,1768471200.0,2,0,""],"1002":[0,"00000002-20260115T100000Z-a30fda4bb128bbdc1b04e1f24dafc097.tar.zst",992,1768471200.0,2,0,""],"gone":[0,"00000002-20260115T100000Z-1cb777d5a9066c1e3fd1c98cac750f56.tar.zst",992,1768471200.0,2,0,""]}}');
INSERT INTO "memory" VALUES('thinned','','1768474800');
CREATE TABLE observations (
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
        ) WITHOUT ROWID;
INSERT INTO "observations" VALUES('1001',1768219200,9,5,'{"session":8}',900,'healthy','valid',1768219200,'');
INSERT INTO "observations" VALUES('1001',1768305600,9,6,'{"session":8}',900,'healthy','valid',1768305600,'');
INSERT INTO "observations" VALUES('1001',1768392000,9,7,'{"session":8}',900,'healthy','valid',1768392000,'');
INSERT INTO "observations" VALUES('1001',1768474800,2,2,'{"creds":1,"session":1}',688,'healthy','valid',1768471200,'');
INSERT INTO "observations" VALUES('1002',1768219200,9,5,'{"session":8}',900,'healthy','valid',1768219200,'');
INSERT INTO "observations" VALUES('1002',1768305600,9,6,'{"session":8}',900,'healthy','valid',1768305600,'');
INSERT INTO "observations" VALUES('1002',1768392000,9,7,'{"session":8}',900,'healthy','valid',1768392000,'');
INSERT INTO "observations" VALUES('1002',1768474800,2,2,'{"creds":1,"session":1}',2,'healthy','empty',1768473000,'');
INSERT INTO "observations" VALUES('gone',1768474800,2,2,'{"creds":1,"session":1}',688,'healthy','valid',1768471200,'');
CREATE TABLE runs (
            uid TEXT PRIMARY KEY,
            command TEXT NOT NULL,
            started INTEGER NOT NULL,
            finished INTEGER NOT NULL,
            exit_code INTEGER NOT NULL,
            dry_run INTEGER NOT NULL,
            counts TEXT NOT NULL
        , job INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO "runs" VALUES('backup','backup',1768474800000,1768474800000,0,0,'{}',1);
INSERT INTO "runs" VALUES('cleanup','cleanup',1768474800000,1768474800000,0,0,'{}',1);
CREATE INDEX runs_by_command ON runs (command, started);
CREATE INDEX alert_spool_by_channel ON alert_spool (channel, id);
CREATE INDEX incidents_by_company ON incidents (company, opened);
CREATE INDEX incident_entries_by_incident ON incident_entries (incident, at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alert_spool',2);
INSERT INTO "sqlite_sequence" VALUES('incidents',1);
INSERT INTO "sqlite_sequence" VALUES('incident_entries',1);
COMMIT;
PRAGMA user_version = 4;
