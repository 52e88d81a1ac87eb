/**
 * The auth states of programs that keep their sessions in databases: from npm where they are there, else written from
 * their source (the commits are those of baileys_tools/stores/rules/mapping.py). Each is
 *
 *     open(tenant) -> { state: { creds, keys: { get, set } }, saveCreds }
 *     dump() -> all that stands in the store, load(dump): put exactly that there again
 *     drop(tenant, names): have the store lose records, called as files are
 *     close()
 */

import { randomUUID } from 'node:crypto'
import { createRequire, Module } from 'node:module'

const GENERATE = new URL('../../fixtures/generate/', import.meta.url)
const require = createRequire(new URL('package.json', GENERATE))
const fixed = name => name.replace(/\//g, '__').replace(/:/g, '-')

/** postgres-baileys asks for it, and does not say so in its package.json. */
const UUID = '/uuid.js'
Module._cache[UUID] = Object.assign(new Module(UUID), { exports: { v4: randomUUID }, loaded: true })

/** Packages that name Baileys in other ways get the very version that is tried. */
function withBaileys(baileys) {
	const resolve = Module._resolveFilename
	const names = { baileys: baileys.name, '@whiskeysockets/baileys': baileys.name }
	Module._resolveFilename = function (request, ...rest) {
		for (const [name, real] of Object.entries(names)) {
			if (request !== name && !request.startsWith(`${name}/`)) continue
			const inside = request.slice(name.length)
			return require.resolve(real + (inside && !inside.endsWith('.js') ? found(real, inside) : inside))
		}
		return request === 'uuid' ? UUID : resolve.call(this, request, ...rest)
	}
}

function found(real, inside) {
	for (const ending of ['.js', '/index.js']) {
		try {
			require.resolve(real + inside + ending)
			return inside + ending
		} catch {
			// the other, then
		}
	}
	throw new Error(`${real} has no ${inside}`)
}

/** An auth state of one function that reads and one that writes a record; null is "remove". */
async function stateOf(baileys, { read, write, syncKey = 'fromObject' }) {
	const creds = (await read('creds')) ?? baileys.initAuthCreds()
	const { AppStateSyncKeyData } = baileys.proto.Message
	return {
		state: {
			creds,
			keys: {
				async get(type, ids) {
					const values = await Promise.all(ids.map(id => read(type, id)))
					const revived = value => (type === 'app-state-sync-key' && value && syncKey ? AppStateSyncKeyData[syncKey](value) : value)
					return Object.fromEntries(ids.map((id, n) => [id, revived(values[n])]))
				},
				async set(data) {
					const changes = Object.entries(data).flatMap(([type, values]) => Object.entries(values).map(([id, value]) => [type, id, value]))
					await Promise.all(changes.map(([type, id, value]) => write(type, id, value || null)))
				}
			}
		},
		saveCreds: () => write('creds', undefined, creds)
	}
}

const textOf = (baileys, value) => JSON.stringify(value, baileys.BufferJSON.replacer)
const valueOf = (baileys, text) => (text ? JSON.parse(text, baileys.BufferJSON.reviver) : null)

// --- SQL --------------------------------------------------------------------------------------------------------

class Postgres {
	constructor(address, tables) {
		const { Pool } = require('pg')
		this.pool = new Pool({ connectionString: address, max: 4 })
		this.tables = tables
	}

	query = async (sql, values = []) => (await this.pool.query(sql, values)).rows

	/** All rows of all tables as Postgres itself writes them, triggers left out when they come again. */
	async dump() {
		const rows = {}
		for (const table of this.tables) rows[table] = (await this.query(`SELECT to_jsonb(t)::text AS row FROM ${table} t`)).map(({ row }) => row)
		return rows
	}

	async load(rows) {
		for (const table of this.tables) {
			await this.query(`DELETE FROM ${table}`)
			const sql = `INSERT INTO ${table} SELECT (jsonb_populate_record(NULL::${table}, one::jsonb)).* FROM unnest($1::text[]) one`
			await this.query(sql, [rows[table]])
		}
	}

	close = () => this.pool.end()
}

const AI_ADMIN = `
DROP TABLE IF EXISTS whatsapp_keys, whatsapp_auth;
CREATE TABLE whatsapp_auth (company_id text PRIMARY KEY, creds jsonb NOT NULL,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE whatsapp_keys (company_id text, key_type text, key_id text, value jsonb NOT NULL,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), expires_at timestamptz,
  PRIMARY KEY (company_id, key_type, key_id));
CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE TRIGGER touched BEFORE UPDATE ON whatsapp_keys FOR EACH ROW EXECUTE FUNCTION touch()`

/** auth-state-timeweb.js: plain JSON.stringify; Buffers and Uint8Arrays come back as whatever JSON has of them. */
async function aiAdmin(baileys, address) {
	const db = new Postgres(address, ['whatsapp_auth', 'whatsapp_keys'])
	await db.query(AI_ADMIN)
	const revived = value => (value === undefined ? null : JSON.parse(JSON.stringify(value), reviveBuffer))
	return {
		dump: () => db.dump(),
		load: rows => db.load(rows),
		close: db.close,
		drop: (tenant, records) => dropRows(db, 'whatsapp_keys', 'company_id = $1 AND key_type = $2 AND key_id = $3', tenant, records),
		aged: (tenant, type, id, at) =>
			db.query(
				`WITH gone AS (DELETE FROM whatsapp_keys WHERE company_id = $1 AND key_type = $2 AND key_id = $3 RETURNING *)
				 INSERT INTO whatsapp_keys SELECT company_id, key_type, key_id, value, created_at, $4, expires_at FROM gone`,
				[tenant, type, id, new Date(at)]
			),
		credsAged: (tenant, at) => db.query('UPDATE whatsapp_auth SET updated_at = $2 WHERE company_id = $1', [tenant, new Date(at)]),
		open: tenant =>
			stateOf(baileys, {
				syncKey: '',
				async read(type, id) {
					if (type === 'creds') return revived((await db.query('SELECT creds AS value FROM whatsapp_auth WHERE company_id = $1', [tenant]))[0]?.value)
					const sql = 'SELECT value FROM whatsapp_keys WHERE company_id = $1 AND key_type = $2 AND key_id = $3'
					return revived((await db.query(sql, [tenant, type, id]))[0]?.value)
				},
				async write(type, id, value) {
					const text = JSON.stringify(value)
					if (type === 'creds') {
						const sql = 'INSERT INTO whatsapp_auth (company_id, creds) VALUES ($1, $2) ON CONFLICT (company_id) DO UPDATE SET creds = EXCLUDED.creds, updated_at = now()'
						return db.query(sql, [tenant, text])
					}
					if (value === null) return db.query('DELETE FROM whatsapp_keys WHERE company_id = $1 AND key_type = $2 AND key_id = $3', [tenant, type, id])
					const sql = `INSERT INTO whatsapp_keys (company_id, key_type, key_id, value, updated_at) VALUES ($1, $2, $3, $4, now())
						ON CONFLICT (company_id, key_type, key_id) DO UPDATE SET value = EXCLUDED.value, updated_at = now()`
					return db.query(sql, [tenant, type, id, text])
				}
			})
	}
}

const reviveBuffer = (_, value) => (value?.type === 'Buffer' && Array.isArray(value.data) ? Buffer.from(value.data) : value)

async function dropRows(db, table, where, tenant, records) {
	for (const record of records) await db.query(`DELETE FROM ${table} WHERE ${where}`, [tenant, ...record])
}

/** npm postgres-baileys. Its table is made without being waited for, so it is made here. */
async function postgresBaileys(baileys, address) {
	const db = new Postgres(address, ['auth_data'])
	await db.query('DROP TABLE IF EXISTS auth_data; CREATE TABLE auth_data (session_key varchar(255) PRIMARY KEY, data text NOT NULL)')
	withBaileys(baileys)
	const { usePostgreSQLAuthState } = require('postgres-baileys')
	return {
		...plain(db),
		drop: (tenant, records) => dropRows(db, 'auth_data', "session_key = $1 || ':' || $2 || '-' || $3", tenant, records),
		open: async tenant => {
			const found = await usePostgreSQLAuthState(db.pool, tenant)
			const { keys } = found.state
			return { ...found, state: { creds: found.state.creds, keys } }
		}
	}
}

const plain = db => ({ dump: () => db.dump(), load: rows => db.load(rows), close: db.close })

/** npm @rodrigogs/baileys-store, with npm @keyv/postgres. */
async function keyvPostgres(baileys, address) {
	const db = new Postgres(address, ['keyv'])
	await db.query('DROP TABLE IF EXISTS keyv')
	withBaileys(baileys)
	const { makeKeyvAuthState } = require('@rodrigogs/baileys-store')
	const { Keyv } = require('keyv')
	const { KeyvPostgres } = require('@keyv/postgres')
	const store = new Keyv({ store: new KeyvPostgres({ uri: address }) })
	await store.get('nothing')
	return {
		...plain(db),
		close: async () => (await store.disconnect(), await db.close()),
		drop: (tenant, records) => dropRows(db, 'keyv', "key = 'keyv:' || $1 || ':' || $2 || '-' || $3", tenant, records),
		open: tenant => makeKeyvAuthState(store, tenant)
	}
}

/** ookamiiixd/baileys-store and what descends from it. */
async function prismaSession(baileys, address) {
	const db = new Postgres(address, ['"Session"'])
	await db.query(`DROP TABLE IF EXISTS "Session"; CREATE TABLE "Session" ("pkId" serial PRIMARY KEY, "sessionId" varchar(128),
		id varchar(255), data text, UNIQUE ("sessionId", id))`)
	const nameOf = (type, id) => fixed(id === undefined ? type : `${type}-${id}`)
	return {
		...plain(db),
		drop: (tenant, records) =>
			Promise.all(records.map(record => db.query('DELETE FROM "Session" WHERE "sessionId" = $1 AND id = $2', [tenant, nameOf(...record)]))),
		open: tenant =>
			stateOf(baileys, {
				read: async (type, id) => valueOf(baileys, (await db.query('SELECT data FROM "Session" WHERE "sessionId" = $1 AND id = $2', [tenant, nameOf(type, id)]))[0]?.data),
				write: (type, id, value) =>
					value === null
						? db.query('DELETE FROM "Session" WHERE "sessionId" = $1 AND id = $2', [tenant, nameOf(type, id)])
						: db.query('INSERT INTO "Session" ("sessionId", id, data) VALUES ($1, $2, $3) ON CONFLICT ("sessionId", id) DO UPDATE SET data = EXCLUDED.data', [
								tenant,
								nameOf(type, id),
								textOf(baileys, value)
							])
			})
	}
}

/** ticketz-oss/ticketz: creds in the row of the connection, keys in a table of their own. */
async function ticketz(baileys, address) {
	const db = new Postgres(address, ['"Whatsapps"', '"BaileysKeys"'])
	await db.query(`DROP TABLE IF EXISTS "BaileysKeys", "Whatsapps";
		CREATE TABLE "Whatsapps" (id serial PRIMARY KEY, session text, name varchar(255) NOT NULL);
		CREATE TABLE "BaileysKeys" ("whatsappId" int, type varchar(255), key varchar(255), value text, PRIMARY KEY ("whatsappId", type, key))`)
	const one = '"whatsappId" = $1 AND type = $2 AND key = $3'
	return {
		...plain(db),
		drop: (tenant, records) => dropRows(db, '"BaileysKeys"', one, tenant, records),
		open: tenant =>
			stateOf(baileys, {
				async read(type, id) {
					if (type === 'creds') return valueOf(baileys, (await db.query('SELECT session FROM "Whatsapps" WHERE id = $1', [tenant]))[0]?.session)?.creds ?? null
					return valueOf(baileys, (await db.query(`SELECT value FROM "BaileysKeys" WHERE ${one}`, [tenant, type, id]))[0]?.value)
				},
				write(type, id, value) {
					if (type === 'creds') {
						const sql = 'INSERT INTO "Whatsapps" (id, name, session) VALUES ($1, \'shop\', $2) ON CONFLICT (id) DO UPDATE SET session = EXCLUDED.session'
						return db.query(sql, [tenant, textOf(baileys, { creds: value, keys: {} })])
					}
					if (value === null) return db.query(`DELETE FROM "BaileysKeys" WHERE ${one}`, [tenant, type, id])
					const sql = 'INSERT INTO "BaileysKeys" VALUES ($1, $2, $3, $4) ON CONFLICT ("whatsappId", type, key) DO UPDATE SET value = EXCLUDED.value'
					return db.query(sql, [tenant, type, id, textOf(baileys, value)])
				}
			})
	}
}

/** WhiskeySockets/Baileys develop, use-sqlite-auth-state.ts: one transaction a set(). */
async function baileysSqlite(baileys, address) {
	const Database = require('libsql')
	const db = new Database(address.replace('sqlite://', ''))
	db.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000')
	db.exec('CREATE TABLE IF NOT EXISTS signal_keys (type TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (type, id)) WITHOUT ROWID')
	db.exec('CREATE TABLE IF NOT EXISTS creds (key TEXT PRIMARY KEY, value TEXT NOT NULL)')
	const put = db.prepare('INSERT INTO signal_keys VALUES (?, ?, ?) ON CONFLICT (type, id) DO UPDATE SET value = excluded.value')
	const take = db.prepare('DELETE FROM signal_keys WHERE type = ? AND id = ?')
	const tables = { signal_keys: 3, creds: 2 }
	return {
		dump: async () => Object.fromEntries(Object.keys(tables).map(table => [table, db.prepare(`SELECT * FROM ${table}`).raw().all()])),
		async load(rows) {
			db.exec('BEGIN IMMEDIATE')
			for (const [table, width] of Object.entries(tables)) {
				db.exec(`DELETE FROM ${table}`)
				const insert = db.prepare(`INSERT INTO ${table} VALUES (${Array(width).fill('?')})`)
				for (const row of rows[table]) insert.run(...row)
			}
			db.exec('COMMIT')
		},
		close: async () => db.close(),
		drop: async (_, records) => records.forEach(record => take.run(...record)),
		async open() {
			const { state } = await stateOf(baileys, {
				async read(type, id) {
					const row = type === 'creds' ? db.prepare("SELECT value FROM creds WHERE key = '__creds__'").get() : db.prepare('SELECT value FROM signal_keys WHERE type = ? AND id = ?').get(type, id)
					return valueOf(baileys, row?.value)
				},
				write() {}
			})
			state.keys.set = async data => {
				db.exec('BEGIN IMMEDIATE')
				for (const [type, values] of Object.entries(data)) {
					for (const [id, value] of Object.entries(values)) value ? put.run(type, id, textOf(baileys, value)) : take.run(type, id)
				}
				db.exec('COMMIT')
			}
			const save = db.prepare("INSERT INTO creds VALUES ('__creds__', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
			return { state, saveCreds: async () => save.run(textOf(baileys, state.creds)) }
		}
	}
}

// --- Redis ------------------------------------------------------------------------------------------------------

class Redis {
	constructor(address) {
		const { Redis: Client } = require('ioredis')
		this.db = new Client(address)
	}

	async dump() {
		const found = []
		for (const key of await this.db.keys('*')) {
			const type = await this.db.type(key)
			found.push([key, type === 'hash' ? await this.db.hgetall(key) : await this.db.get(key), await this.db.pttl(key)])
		}
		return found
	}

	async load(found) {
		await this.db.flushdb()
		for (const [key, value, pttl] of found) {
			await (typeof value === 'string' ? this.db.set(key, value) : this.db.hset(key, value))
			if (pttl > 0) await this.db.pexpire(key, pttl)
		}
	}

	close = () => this.db.quit()
}

const once = { wrap: text => text, unwrap: text => text }
/** Evolution stringifies in CacheService and once more in RedisCache. */
const twice = { wrap: text => JSON.stringify(text), unwrap: text => text && JSON.parse(text) }

/** A hash a session: useRedisAuthStateWithHSet, and Evolution. */
const inHash = (template, nameOf, { wrap, unwrap } = once) =>
	async function (baileys, address) {
		const redis = new Redis(address)
		await redis.db.flushdb()
		const keyOf = tenant => template.replace('*', tenant)
		const field = (type, id) => (id === undefined ? type : nameOf(`${type}-${id}`))
		return {
			...plain(redis),
			drop: (tenant, records) => Promise.all(records.map(record => redis.db.hdel(keyOf(tenant), field(...record)))),
			open: tenant =>
				stateOf(baileys, {
					read: async (type, id) => valueOf(baileys, unwrap(await redis.db.hget(keyOf(tenant), field(type, id)))),
					write: (type, id, value) =>
						value === null ? redis.db.hdel(keyOf(tenant), field(type, id)) : redis.db.hset(keyOf(tenant), field(type, id), wrap(textOf(baileys, value)))
				})
		}
	}

/** A key a record: useRedisAuthState of hbinduni, and unoapi, with a SESSION_TTL where it is asked for. */
const inKeys = (template, nameOf, ttl = 0) =>
	async function (baileys, address) {
		const redis = new Redis(address)
		await redis.db.flushdb()
		const keyOf = (tenant, type, id) => template.replace('*', tenant) + (id === undefined ? type : nameOf(`${type}-${id}`))
		const more = ttl ? ['EX', ttl] : []
		return {
			...plain(redis),
			drop: (tenant, records) => Promise.all(records.map(record => redis.db.del(keyOf(tenant, ...record)))),
			open: tenant =>
				stateOf(baileys, {
					read: async (type, id) => valueOf(baileys, await redis.db.get(keyOf(tenant, type, id))),
					write: (type, id, value) =>
						value === null ? redis.db.del(keyOf(tenant, type, id)) : redis.db.set(keyOf(tenant, type, id), textOf(baileys, value), ...more)
				})
		}
	}

/** fazer-ai/baileys-api redisAuthState.ts: one Lua a set(), fenced by the lease where a worker holds one. */
async function fazer(baileys, address) {
	const redis = new Redis(address)
	await redis.db.flushdb()
	const keyOf = tenant => `@baileys-api:connections:${tenant}:authState`
	const script = `for i = 1, #ARGV, 2 do
		if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
	end`
	return {
		...plain(redis),
		drop: (tenant, records) => redis.db.hdel(keyOf(tenant), ...records.map(record => record.join('-'))),
		async open(tenant) {
			const { state } = await stateOf(baileys, {
				read: async (type, id) => valueOf(baileys, await redis.db.hget(keyOf(tenant), id === undefined ? type : `${type}-${id}`)),
				write() {}
			})
			state.keys.set = async data => {
				const words = Object.entries(data).flatMap(([type, values]) =>
					Object.entries(values).flatMap(([id, value]) => [`${type}-${id}`, value ? textOf(baileys, value) : ''])
				)
				if (words.length) await redis.db.eval(script, 1, keyOf(tenant), ...words)
			}
			return { state, saveCreds: () => redis.db.hset(keyOf(tenant), 'creds', textOf(baileys, state.creds)) }
		}
	}
}

/** EvolutionAPI/evolution-api use-multi-file-auth-state-prisma.ts with Redis: keys in a hash, creds in "Session". */
async function evolutionMixed(baileys, addresses) {
	const [address, creds] = addresses.split(' ')
	const redis = new Redis(address)
	await redis.db.flushdb()
	const db = new Postgres(creds, ['"Instance"', '"Session"'])
	await db.query(`DROP TABLE IF EXISTS "Session", "Instance"; CREATE TABLE "Instance" (id text PRIMARY KEY);
		CREATE TABLE "Session" (id text PRIMARY KEY, "sessionId" text NOT NULL UNIQUE REFERENCES "Instance"(id) ON DELETE CASCADE,
			creds text, "createdAt" timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP); INSERT INTO "Instance" VALUES ('1')`)
	const keyOf = tenant => `evolution:instance:${tenant}`
	return {
		dump: async () => [await redis.dump(), await db.dump()],
		load: async ([keys, rows]) => (await redis.load(keys), await db.load(rows)),
		close: async () => (await redis.close(), await db.close()),
		drop: (tenant, records) => redis.db.hdel(keyOf(tenant), ...records.map(record => record.join('-'))),
		open: tenant =>
			stateOf(baileys, {
				async read(type, id) {
					if (type !== 'creds') return valueOf(baileys, twice.unwrap(await redis.db.hget(keyOf(tenant), `${type}-${id}`)))
					return valueOf(baileys, twice.unwrap((await db.query('SELECT creds FROM "Session" WHERE "sessionId" = $1', [tenant]))[0]?.creds))
				},
				async write(type, id, value) {
					if (type === 'creds') {
						const sql = 'INSERT INTO "Session" (id, "sessionId", creds) VALUES ($1, $2, $3) ON CONFLICT ("sessionId") DO UPDATE SET creds = EXCLUDED.creds'
						return db.query(sql, [randomUUID(), tenant, twice.wrap(textOf(baileys, value))])
					}
					const field = `${type}-${id}`
					return value === null ? redis.db.hdel(keyOf(tenant), field) : redis.db.hset(keyOf(tenant), field, twice.wrap(textOf(baileys, value)))
				}
			})
	}
}

/** npm @rodrigogs/baileys-store, with npm @keyv/redis. */
async function keyvRedis(baileys, address) {
	const redis = new Redis(address)
	await redis.db.flushdb()
	withBaileys(baileys)
	const { makeKeyvAuthState } = require('@rodrigogs/baileys-store')
	const { Keyv } = require('keyv')
	const { default: KeyvRedis } = require('@keyv/redis')
	const store = new Keyv({ store: new KeyvRedis(address) })
	return {
		...plain(redis),
		close: async () => (await store.disconnect(), await redis.close()),
		drop: (tenant, records) => redis.db.del(...records.map(([type, id]) => `keyv::keyv:${tenant}:${type}-${id}`)),
		open: tenant => makeKeyvAuthState(store, tenant)
	}
}

const same = name => name

export const CLIENTS = {
	'ai-admin': aiAdmin,
	'baileys-sqlite': baileysSqlite,
	'postgres-baileys': postgresBaileys,
	'keyv-postgres': keyvPostgres,
	'prisma-session': prismaSession,
	ticketz,
	'baileys-redis-auth': inHash('*:auth', fixed),
	'baileys-redis-auth-keys': inKeys('*:', fixed),
	fazer,
	evolution: inHash('evolution:instance:*', same, twice),
	'evolution-mixed': evolutionMixed,
	unoapi: inKeys('unoapi-auth:*:', same, 90 * 86400),
	'keyv-redis': keyvRedis
}
