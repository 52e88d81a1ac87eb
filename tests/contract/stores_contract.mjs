/**
 * What the acts of the tool cost a session that stands in a database, measured with the auth state of its own program.
 *
 *     node stores_contract.mjs --baileys baileys7 --preset fazer --address redis://... --tool COMMAND --python PYTHON
 *                              [--act ACT]...
 *
 * A bot lives a life, and its own auth state (store_clients.mjs; `folder` is Baileys' own) writes the session into the
 * store. Then one act after the other, each from the same start: nothing, cleanup, cleanup and undo, repair, rollback, and
 * (`lone`) a cleanup where the bot's own keys of groups are lost and the memories stand alone.
 * Then the client goes on from the store and everybody writes to everybody, once with the others and once with the bot
 * first. Contacts, groups and server remember everything as it was. One JSON document goes to stdout.
 */

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { fileName } from '../../fixtures/generate/world.mjs'
import { COMPANY, copyFolder, removeFolder } from './folders.mjs'
import { CLIENTS } from './store_clients.mjs'

const HOUR_MS = 60 * 60 * 1000
const TENANT = '1'
/** Sessions of 4 to 57 days, groups of 0.3 to 54: the policy takes some of each. */
const LIFE = { paired: 60, contacts: 10, perGroup: 2, waiting: 2 }
const NEW_CHATS = 8
/** Of memories that a cleanup surely takes. */
const OLD_MS = 5 * 24 * HOUR_MS

/** The folder of Baileys' own auth state, as if it were one store more. */
function folderClient(baileys, root) {
	const folder = join(root, COMPANY)
	let kept
	return {
		dump: async () => {
			kept = `${root}-kept-${Math.random()}`
			copyFolder(folder, kept)
			return kept
		},
		load: async from => {
			removeFolder(root)
			copyFolder(from, folder)
		},
		close: async () => {},
		drop: async (_, records) => {
			for (const [type, id] of records) await rm(join(folder, fileName(type, id)))
		},
		open: () => baileys.useMultiFileAuthState(folder)
	}
}

/** A session in its store: what the client wrote when, so that the store, or the tool's memory of it, can tell. */
class Session {
	constructor(client, options, root) {
		Object.assign(this, { client, options, root })
		this.written = new Map()
	}

	async open() {
		const { state, saveCreds } = await this.client.open(TENANT)
		const { get, set } = state.keys
		const noted = async data => {
			for (const [type, values] of Object.entries(data)) {
				for (const [id, value] of Object.entries(values)) {
					value ? this.written.set(fileName(type, id), { type, id, at: Date.now() }) : this.written.delete(fileName(type, id))
				}
			}
			await set(data)
		}
		return { creds: state.creds, keys: { get, set: noted }, saveCreds }
	}

	/** Let the client write a whole session that a bot has in memory. */
	async fill({ bot }) {
		const { creds, keys, saveCreds } = await this.open()
		Object.assign(creds, bot.creds)
		await saveCreds()
		for (const { type, id } of bot.store.entries.values()) await keys.set({ [type]: await bot.store.get(type, [id]) })
		this.written = new Map([...bot.store.entries.values()].map(({ type, id, writtenAt }) => [fileName(type, id), { type, id, at: writtenAt }]))
	}

	/** Have what keeps times say when each record was written. */
	async age(act, credsAt) {
		const { preset, python } = this.options
		if (preset === 'folder') {
			for (const [name, { at }] of [...this.written, ['creds.json', { at: credsAt }]]) {
				await utimes(join(this.root, COMPANY, name), at / 1000, at / 1000).catch(ignoreMissing)
			}
			return
		}
		for (const { type, id, at } of this.client.aged ? this.written.values() : []) await this.client.aged(TENANT, type, id, at)
		await this.client.credsAged?.(TENANT, credsAt)
		await act.tool('status')
		const times = Object.fromEntries([...this.written].map(([name, { at }]) => [name, at]))
		execFileSync(python, [new URL('backdate.py', import.meta.url).pathname, act.state], { input: JSON.stringify({ ...times, 'creds.json': credsAt }) })
	}
}

function ignoreMissing(error) {
	if (error.code !== 'ENOENT') throw error
}

/** The tool on one store, with a state and snapshots of its own. */
class Tool {
	constructor(options, home, root) {
		const { preset, address } = options
		this.program = options.tool
		this.state = join(home, 'state')
		mkdirSync(home, { recursive: true })
		const config = join(home, 'config.yaml')
		const [store, creds_store] = address.split(' ')
		const stored = [{ store, ...(creds_store && { creds_store }), preset: preset.replace(/^keyv-.*/, 'keyv'), name: TENANT }]
		const sessions = preset === 'folder' ? { path: root } : { roots: stored }
		writeFileSync(config, JSON.stringify({ sessions, backup: { path: join(home, 'backups') }, recover: { wait: '1s' } }), { mode: 0o600 })
		this.config = config
		this.said = []
	}

	tool = async (...words) => {
		const child = spawn(this.program, [...words, '--config', this.config], {
			env: { ...process.env, BAILEYS_TOOLS_STATE_DIR: this.state },
			stdio: ['ignore', 'pipe', 'pipe']
		})
		const exited = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
		const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
		const exit_code = await exited
		this.said.push({ words, exit_code, errors })
		return { exit_code, output, errors }
	}
}

const json = ({ exit_code, output, errors }) => {
	if (exit_code) throw new Error(`exit code ${exit_code}: ${errors}${output}`)
	return JSON.parse(output)
}
const done = ran => {
	if (ran.exit_code) throw new Error(`exit code ${ran.exit_code}: ${ran.errors}${ran.output}`)
}

async function traffic(world) {
	for (const client of [world.phone, ...world.contacts.flatMap(contact => contact.clients)].filter((_, n) => n % 2)) await world.contactWrites(client)
	for (const group of world.groups.slice(0, 2)) await world.botWritesToGroup(group)
}

/** Act -> what is done to the store; returns the plan, and the world that remembers what happened meanwhile. */
const ACTS = {
	async nothing() {
		return {}
	},
	async cleanup({ act }) {
		const [company] = json(await act.tool('cleanup', '--json')).companies
		return { plan: company.plan }
	},
	async undo({ act }) {
		done(await act.tool('cleanup'))
		return { undone: json(await act.tool('undo', '--json')).companies }
	},
	async lone({ act, session, world, now }) {
		const all = [...session.written.values()]
		const old = new Set(all.filter(({ type, at }) => type === 'sender-key-memory' && now - at > OLD_MS).map(({ id }) => id))
		const { me } = world.bot.creds
		const users = [me.id, me.lid].map(jid => world.baileys.jidDecode(jid)?.user)
		const { device } = world.baileys.jidDecode(me.id)
		const own = all.filter(({ type, id }) => {
			const [group, user, sender] = id.split('::')
			return type === 'sender-key' && old.has(group) && users.includes(user.split('_')[0]) && Number(sender) === device
		})
		await session.client.drop(TENANT, own.map(({ type, id }) => [type, id]))
		const [company] = json(await act.tool('cleanup', '--json')).companies
		return { plan: company.plan, lost: own.length }
	},
	repair: scene => damaged(scene, []),
	rollback: scene => damaged(scene, ['--mode', 'rollback'])
}

/** A snapshot, then messages through the store's own client, then half of the sessions and some mappings are lost. */
async function damaged({ act, session, world, now }, words) {
	done(await act.tool('backup', '--quiet'))
	const auth = await session.open()
	const after = world.fork(auth)
	stopClock(now - 2 * HOUR_MS, 0)
	await traffic(after)
	await auth.saveCreds()
	const lost = [...session.written.values()].filter(({ type }) => type === 'session').filter((_, n) => n % 2)
	lost.push(...[...session.written.values()].filter(({ type }) => type === 'lid-mapping'))
	await session.client.drop(TENANT, lost.map(({ type, id }) => [type, id]))
	await session.age(act, now - 2 * HOUR_MS)
	const report = json(await act.tool('restore', '--company', TENANT, '--yes', '--json', ...words))
	return { plan: report.plan, lost: lost.length, after }
}

const DIRECTIONS = {
	async contact_to_bot(world, note) {
		for (const client of [world.phone, ...world.contacts.flatMap(contact => contact.clients)]) await note(client.jid, () => world.contactWrites(client))
	},
	async member_to_group(world, note) {
		for (const group of world.groups) {
			for (const client of group.members) await note(`${group.jid} ${client.jid}`, () => world.memberWritesToGroup(client, group))
		}
	},
	async bot_to_contact(world, note) {
		for (const contact of world.contacts) await note.all([...contact.clients, world.phone], () => world.botWrites(contact))
	},
	async bot_to_group(world, note) {
		const { encryptedNode } = world.bot
		world.bot.encryptedNode = (...words) => (note.keyMessages(), encryptedNode.apply(world.bot, words))
		for (const group of world.groups) await note.all(group.members, () => world.botWritesToGroup(group), group.jid)
		world.bot.encryptedNode = encryptedNode
	},
	async new_chats(world, note) {
		for (const client of world.waiting) await note(`waiting ${client.preKeyId}`, () => world.contactWrites(client))
		const stranger = await world.addStranger()
		const { offered } = world.server.account(world.bot.jid)
		for (const preKey of offered.splice(-NEW_CHATS)) {
			await note('offered', async () => {
				await world.takePreKey(stranger, preKey)
				return world.contactWrites(stranger)
			})
			await world.forget(stranger)
		}
	}
}
const OTHERS_FIRST = ['contact_to_bot', 'member_to_group', 'bot_to_contact', 'bot_to_group', 'new_chats']
const BOT_FIRST = ['bot_to_contact', 'bot_to_group', 'contact_to_bot', 'member_to_group']

/** Everybody writes to everybody through the store's own client; failures of first tries by direction. */
async function converse(session, world, order) {
	const results = {}
	const twin = world.fork(await session.open())
	for (const direction of order) {
		const result = (results[direction] = { attempts: 0, failed: {}, key_messages: 0 })
		const note = async (what, write) => {
			result.attempts++
			const error = await write().catch(error => `thrown: ${error?.message ?? error}`)
			if (error) result.failed[what] = error
		}
		note.all = async (clients, write, group = '') => {
			const outcomes = await write().catch(error => new Map(clients.map(client => [client, `thrown: ${error?.message ?? error}`])))
			for (const [client, error] of outcomes) {
				result.attempts++
				if (error) result.failed[`${group} ${client.jid}`] = error
			}
		}
		note.keyMessages = () => result.key_messages++
		await DIRECTIONS[direction](twin, note)
	}
	return results
}

async function main() {
	const word = { type: 'string' }
	const { values } = parseArgs({ options: { baileys: word, preset: word, address: word, tool: word, python: word, act: { ...word, multiple: true } } })
	const now = Date.now()
	const baileys = await loadBaileys(values.baileys)
	const world = await live(baileys, { end: now - 3 * HOUR_MS, ...LIFE })
	const scratch = await mkdtemp(join(tmpdir(), 'stores-contract-'))
	const root = join(scratch, 'sessions')
	const client = values.preset === 'folder' ? folderClient(baileys, root) : await CLIENTS[values.preset](baileys, values.address)
	const session = new Session(client, values, root)
	const report = { preset: values.preset, baileys: values.baileys, acts: {} }
	try {
		await session.fill(world)
		const start = await client.dump()
		const written = session.written
		for (const name of values.act ?? Object.keys(ACTS)) {
			const act = new Tool(values, join(scratch, name), root)
			await client.load(start)
			session.written = new Map(written)
			stopClock(now - 3 * HOUR_MS, 0)
			await session.age(act, world.bot.credsWrittenAt)
			const did = await ACTS[name]({ act, session, world, now })
			const { after = world, ...told } = did
			const then = await client.dump()
			const others_first = await converse(session, after, OTHERS_FIRST)
			await client.load(then)
			const bot_first = await converse(session, after, BOT_FIRST)
			report.acts[name] = { ...told, others_first, bot_first }
		}
		return report
	} finally {
		await client.close()
		removeFolder(scratch)
	}
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
