/**
 * What a restore costs, measured with the real client.
 *
 *     node restore_contract.mjs --baileys baileys7 --tool COMMAND [--traffic T]... [--damage D]... [--choice C]...
 *                               [--strangers N]
 *
 * A bot lives a short life, and COMMAND takes a snapshot of its folder. Then there is traffic, then damage, and
 * then one of four things is done about it: repair, rollback, unpacking the snapshot over the folder, or nothing.
 * Contacts, groups and server remember everything as it was, Baileys loads the folder, and somebody writes:
 *
 * - the bot first, to each contact (`bot_to_contact`) and group (`bot_to_group`)
 * - the others first, each contact (`contact_to_bot`) and each member of each group (`member_to_group`)
 * - strangers, with pre-keys that the server offers now (`offered`) and that the bot uploads next (`minted`)
 *
 * Each on a copy of its own. A JSON document for each combination goes to stdout, one a line. Without options that is
 * the table of docs/backups.md, with 5 strangers; the stories, accidents and cures beside it have to be named.
 */

import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, truncate, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { COMPANY, copyFolder, removeFolder } from './folders.mjs'

const HOUR_MS = 60 * 60 * 1000
const LIFE = { paired: 6, contacts: 5, perGroup: 2 }

const TRAFFIC = {
	none: [],
	incoming: [incoming],
	outgoing: [outgoing],
	'5 rounds both ways': [...Array.from({ length: 5 }, () => [incoming, outgoing]).flat(), newChats]
}

/** Traffic that is no column of the table. */
const STORIES = {
	'one contact': [world => world.botWrites(world.contacts[1])],
	'members make new keys': [membersMakeNewKeys, incoming],
	'one upload': [world => world.bot.uploadPreKeys(30)]
}

/**
 * More than v6 uploads at once, so that pre-keys with new ids are on the server afterwards. Nothing else is left
 * of these chats: one person in many roles, as to make keys for each would take most of the run.
 */
async function newChats(world) {
	const stranger = await world.addStranger()
	for (let n = 0; n < 28; n++) {
		await world.takePreKey(stranger)
		await world.contactWrites(stranger)
		await world.forget(stranger)
	}
}

async function incoming(world) {
	for (const client of [world.phone, ...world.contacts.flatMap(contact => contact.clients)]) await world.contactWrites(client)
	for (const group of world.groups) {
		for (const client of group.members) await world.memberWritesToGroup(client, group)
	}
}

async function outgoing(world) {
	for (const contact of world.contacts) await world.botWrites(contact)
	for (const group of world.groups) await world.botWritesToGroup(group)
}

/** As after a cleanup of theirs: the next message brings the new key along, once. */
async function membersMakeNewKeys(world) {
	for (const group of world.groups) {
		for (const client of group.members) {
			const address = client.repository.jidToSignalProtocolAddress(world.addressOf(client, group.mode))
			await client.keys.set({
				'sender-key': { [`${group.jid}::${address.replace('.', '::')}`]: null },
				'sender-key-memory': { [group.jid]: null }
			})
		}
	}
}

const isSession = name => name.startsWith('session-')
const isOwnKey = (name, me) => new RegExp(`^sender-key-.*--(${me.join('|')})(_\\d+)?--17\\.json$`).test(name)

/** Damage -> which files of the folder it hits, and how. */
const DAMAGES = {
	'creds.json empty': { hits: name => name === 'creds.json', tear: true },
	'every second session torn': { hits: (name, n) => isSession(name) && n % 2, tear: true },
	'every second session rotten': { hits: (name, n) => isSession(name) && n % 2, rot: true },
	'every second session deleted': { hits: (name, n) => isSession(name) && n % 2 },
	'all sessions deleted': { hits: isSession },
	'pre-keys lost': { hits: name => name.startsWith('pre-key-') },
	'LID mappings lost': { hits: name => name.startsWith('lid-mapping-') },
	'own sender-keys lost': { hits: (name, _, me) => isOwnKey(name, me) },
	'everything gone': { hits: () => true }
}

const isPeersKey = (name, me) => /^sender-key-(?!memory-)/.test(name) && !isOwnKey(name, me)
const isOddPreKey = name => /^pre-key-\d*[13579]\.json$/.test(name)

/** Damage that is no row of the table; `since`: only to what was written since the snapshot. */
const ACCIDENTS = {
	'sessions since lost': { hits: isSession, since: true },
	'creds.json and sessions since torn': { hits: name => isSession(name) || name === 'creds.json', since: true, tear: true },
	'sender-keys of others lost': { hits: (name, _, me) => isPeersKey(name, me) },
	'odd pre-keys since lost': { hits: isOddPreKey, since: true },
	'odd pre-keys since torn': { hits: isOddPreKey, since: true, tear: true }
}

async function damage(folder, { hits, tear, rot, since }, me, when, snapshotAt) {
	const keys = (await readdir(folder)).filter(name => !name.endsWith('.bak'))
	const names = keys.sort().filter((name, n) => hits(name, n, me))
	for (const name of names) {
		const path = join(folder, name)
		if (since && name !== 'creds.json' && (await stat(path)).mtimeMs <= snapshotAt) continue
		if (tear || rot) await empty(path, tear ? when : undefined)
		// What is lost is lost with its companion: the next version would go on with that.
		else for (const file of [path, `${path}.bak`]) await rm(file, { force: true })
	}
	return names.length
}

/** A torn write moves the age of the file; a bad disk does not. */
async function empty(path, when) {
	const { mtimeMs } = await stat(path)
	await truncate(path)
	const seconds = (when ?? mtimeMs) / 1000
	await utimes(path, seconds, seconds)
}

/** Who writes first -> what is tried, in order, on one copy of the world. */
const FIRST = {
	async bot(world, tally) {
		for (const contact of world.contacts) {
			await tally.bot_to_contact.each([...contact.clients, world.phone], () => world.botWrites(contact))
		}
		for (const group of world.groups) await tally.bot_to_group.each(group.members, () => world.botWritesToGroup(group))
	},
	async others(world, tally) {
		for (const client of [world.phone, ...world.contacts.flatMap(contact => contact.clients)]) {
			await tally.contact_to_bot.one(() => world.contactWrites(client))
		}
		for (const group of world.groups) {
			for (const client of group.members) await tally.member_to_group.one(() => world.memberWritesToGroup(client, group))
		}
	},
	async strangers(world, tally, strangers) {
		const account = world.server.account(world.bot.jid)
		await newChatsWith(account.offered.slice(-strangers), world, tally.offered)
		await world.bot.uploadPreKeys()
		await newChatsWith(account.offered.slice(-5), world, tally.minted)
	}
}
const DIRECTIONS = ['bot_to_contact', 'bot_to_group', 'contact_to_bot', 'member_to_group', 'offered', 'minted']

async function newChatsWith(preKeys, world, tally) {
	const stranger = await world.addStranger()
	for (const preKey of preKeys) {
		await tally.one(async () => {
			await world.takePreKey(stranger, preKey)
			return world.contactWrites(stranger)
		})
		await world.forget(stranger)
	}
}

/** Counts tries and failures. What throws has failed for everybody. */
class Tally {
	attempts = 0
	failures = 0
	errors = {}

	note(error) {
		this.attempts++
		if (!error) return
		this.failures++
		this.errors[error] = (this.errors[error] ?? 0) + 1
	}

	async one(write) {
		this.note(await write().catch(error => String(error?.message ?? error)))
	}

	async each(clients, write) {
		let outcomes
		try {
			outcomes = await write()
		} catch (error) {
			outcomes = new Map(clients.map(client => [client, String(error.message)]))
		}
		for (const error of outcomes.values()) this.note(error)
	}
}

/** What everybody's first tries on a folder come to; null where Baileys would show a QR code. */
async function measure(world, folder, scratch, strangers) {
	const tally = Object.fromEntries(DIRECTIONS.map(direction => [direction, new Tally()]))
	for (const writeFirst of Object.values(FIRST)) {
		const copy = join(scratch, 'measured')
		removeFolder(copy)
		copyFolder(folder, copy)
		const { state } = await world.baileys.useMultiFileAuthState(copy)
		if (!state.creds.me?.id) return null
		await writeFirst(world.fork(state), tally, strangers)
	}
	return tally
}

async function run(words, env) {
	const child = spawn(words[0], words.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
	const output = []
	const errors = []
	child.stdout.on('data', piece => output.push(piece))
	child.stderr.on('data', piece => errors.push(piece))
	const exitCode = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
	return { exit_code: exitCode, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() }
}

/** Of what the table has and what is beside it, what was asked for. */
const chosen = (table, beside, names) => Object.entries({ ...table, ...(names && beside) }).filter(([name]) => !names || names.includes(name))

async function main() {
	const text = { type: 'string' }
	const texts = { type: 'string', multiple: true }
	const options = { baileys: text, tool: text, traffic: texts, damage: texts, choice: texts, strangers: { ...text, default: '5' } }
	const { values } = parseArgs({ options })
	const now = Date.now()
	const baileys = await loadBaileys(values.baileys)
	const world = await live(baileys, { end: now - 3 * HOUR_MS, ...LIFE })
	const me = [world.bot.creds.me.id, world.bot.creds.me.lid].map(jid => baileys.jidDecode(jid).user)

	const scratch = await mkdtemp(join(tmpdir(), 'restore-contract-'))
	const env = {
		BAILEYS_SESSIONS_PATH: join(scratch, 'sessions'),
		BAILEYS_TOOLS_BACKUP_PATH: join(scratch, 'backups'),
		BAILEYS_TOOLS_RECOVER__WAIT: '1s'
	}
	const restore = [values.tool, 'restore', '--company', '1', '1', '--json', '--yes']
	const choices = {
		repair: folder => run(restore, env),
		rollback: folder => run([...restore, '--mode', 'rollback'], env),
		'unpack over it': folder => copyFolder(join(scratch, 'unpacked'), folder),
		'leave it': () => undefined
	}
	const cures = {
		'repair with sessions': () => run([...restore, '--keep-sessions'], env),
		recover: () => run([values.tool, 'recover', '--company', '1', '--yes', '--json'], env)
	}
	try {
		const folder = join(env.BAILEYS_SESSIONS_PATH, COMPANY)
		await world.writeFolder(folder)
		await run([values.tool, 'backup', '--quiet'], env)
		await run([...restore, '--target', join(scratch, 'unpacked')], env)
		for (const [traffic, steps] of chosen(TRAFFIC, STORIES, values.traffic)) {
			const after = world.fork()
			after.bot.credsWrittenAt = world.bot.credsWrittenAt
			stopClock(now - 2 * HOUR_MS, 0)
			for (const step of steps) await step(after)
			const undamaged = join(scratch, 'undamaged')
			removeFolder(undamaged)
			await after.writeFolder(undamaged)
			for (const [what, how] of chosen(DAMAGES, ACCIDENTS, values.damage)) {
				for (const [choice, act] of chosen(choices, cures, values.choice)) {
					removeFolder(folder)
					copyFolder(undamaged, folder)
					const hit = await damage(folder, how, me, now - HOUR_MS, now - 2.5 * HOUR_MS)
					if (!hit) continue
					const ran = (await act(folder)) ?? {}
					const results = await measure(after, folder, scratch, Number(values.strangers))
					process.stdout.write(JSON.stringify({ baileys: values.baileys, traffic, damage: what, choice, ...ran, results }) + '\n')
				}
			}
		}
	} finally {
		removeFolder(scratch)
	}
}

await main()
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write('', () => process.exit(0))
