/**
 * What the cures do to messages, measured with the real client.
 *
 *     node cures_contract.mjs --baileys baileys7 --ill groups [--log FILE] -- COMMAND [ARGUMENT...]
 *
 * `--ill groups`: two members of each group have lost the bot's key ("Waiting for this message"). `--ill contacts`: the
 * bot's sessions with three contacts are older than the contacts' ("Bad MAC"), one of them with a twin under its phone
 * number, and a fourth is torn. The bot logs to FILE, as its own logger writes, what it could not read.
 *
 * COMMAND runs with the sessions root in BAILEYS_SESSIONS_PATH; `{number}` in it is the phone number of the first ill
 * contact. What is measured before it and after it, each on a copy of folder and peers:
 *
 * - `still`: the bot is off while the command runs. All write to all once; `ill_first` are messages from the ill, then
 *   how many resends healed each; `bot_first`: the bot writes to the ill, and they answer.
 * - `running`: the bot has loaded the folder and talked to the ill before the command, with and without a cache
 *   (`makeCacheableSignalKeyStore`), and goes on: at once, six minutes later, and after a new start. `waited`: it had
 *   been silent for so many minutes. `undone`: undo, called before the bot goes on, brought everything back.
 *
 * `undone`: whether undo brought every byte, time and mode back. One JSON document goes to stdout.
 */

import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { COMPANY, copyFolder, removeFolder, runCommand, senderKeyFile, sessionFile, splitAt } from './folders.mjs'

/** Baileys' own, so no package of ours. */
const pino = createRequire(new URL('../../fixtures/generate/client.mjs', import.meta.url))('pino')

const LIFE = { paired: 60, contacts: 12, perGroup: 5, order: 'fifo' }
const ILL_CONTACTS = [0, 2, 5]
const TORN_CONTACT = 4
const MINUTE_DAYS = 1 / 24 / 60

/** Make two members of each group forget the bot's key: they wait from now on. */
function makeMembersWait(world) {
	const ill = []
	for (const group of world.groups.filter(({ jid }) => jid.endsWith('@g.us'))) {
		for (const member of group.members.slice(1, 3)) {
			for (const [key, { type, id }] of member.store.entries) {
				if (type === 'sender-key' && id.startsWith(`${group.jid}::`) && !isOwn(world, member, id)) member.store.entries.delete(key)
			}
			ill.push(senderKeyFile(world, group, member))
		}
	}
	return ill
}

function isOwn(world, client, id) {
	const user = id.split('::')[1].split('_')[0]
	return [client.creds.me.id, client.creds.me.lid].some(jid => world.baileys.jidDecode(jid).user === user)
}

/** Roll the bot's sessions with some contacts back, behind five rounds of talk. */
async function rollBackSessions(world) {
	const contacts = ILL_CONTACTS.map(n => world.contacts[n])
	const address = client => `session-${world.bot.repository.jidToSignalProtocolAddress(client.jid)}`
	const clients = contacts.map(({ clients: [client] }) => client)
	for (const [n, contact] of contacts.entries()) {
		await world.contactWrites(clients[n])
		await world.botWrites(contact)
	}
	const old = clients.map(client => world.bot.store.entries.get(address(client)))
	for (let round = 0; round < 5; round++) {
		for (const [n, contact] of contacts.entries()) {
			await world.botWrites(contact)
			await world.contactWrites(clients[n])
		}
	}
	clients.forEach((client, n) => world.bot.store.entries.set(address(client), old[n]))
	return clients
}

/** A twin under the phone number, as it stands where Baileys 7 has not moved it yet, and a session that is torn. */
async function spoilFiles(world, folder, clients) {
	const torn = world.contacts[TORN_CONTACT].clients[0]
	const path = join(folder, sessionFile(world, torn))
	const { mtime } = await stat(path)
	await writeFile(path, '{"_sessions":{"B')
	await utimes(path, mtime, mtime)
	if (world.baileys.hasLids) {
		const { user } = world.baileys.jidDecode(clients[0].creds.me.id)
		const twin = join(folder, `session-${user}.0.json`)
		await cp(join(folder, sessionFile(world, clients[0])), twin, { preserveTimestamps: true })
		await writeFile(join(folder, `device-list-${user}.json`), '["0"]')
	}
	return [...clients, torn]
}

/** Load a copy of the folder as the bot, do something with it, and forget it. */
async function onCopy(world, folder, work, logFile) {
	const copy = await mkdtemp(join(tmpdir(), 'cures-copy-'))
	try {
		copyFolder(folder, copy)
		return await work(await loaded(world, copy, false, logFile))
	} finally {
		removeFolder(copy)
	}
}

/** The world with the bot on this folder, as a process that has just begun. */
async function loaded(world, folder, cached, logFile) {
	const { state } = await world.baileys.useMultiFileAuthState(folder)
	const keys = cached ? world.baileys.makeCacheableSignalKeyStore(state.keys) : state.keys
	const copy = world.fork({ creds: state.creds, keys })
	if (logFile) logAsBaileys(world.baileys, copy.bot, logFile)
	return copy
}

/** Have the bot write down what it cannot read, with Baileys' own logger at its usual level. */
function logAsBaileys(baileys, bot, file) {
	const logger = pino({ level: 'info', timestamp: () => `,"time":"${new Date(Date.now()).toISOString()}"` }, pino.destination({ dest: file, sync: true, append: true })).child({ class: 'baileys' })
	bot.receive = async stanza => {
		const { id, lid } = bot.creds.me
		const { fullMessage, decrypt } = baileys.decryptMessageNode(stanza, id, lid ?? '', bot.repository, logger)
		if (baileys.hasLids) await bot.learnMapping(fullMessage.key)
		await decrypt()
		return fullMessage.messageStubParameters?.[0]
	}
}

/** All write to all once. Returns direction -> the files that failing messages depend on, and the key messages. */
async function everybody(world) {
	const failed = { bot_to_contact: [], contact_to_bot: [], bot_to_group: [], member_to_group: [] }
	const note = (direction, file, error) => error && failed[direction].push(file)
	for (const contact of world.contacts) {
		for (const [client, error] of await world.botWrites(contact)) note('bot_to_contact', sessionFile(world, client), error)
	}
	for (const client of world.contacts.flatMap(contact => contact.clients)) {
		note('contact_to_bot', sessionFile(world, client), await world.contactWrites(client))
	}
	const key_messages = await groups(world, failed.bot_to_group)
	for (const group of world.groups) {
		for (const client of group.members) note('member_to_group', senderKeyFile(world, group, client), await world.memberWritesToGroup(client, group))
	}
	return { failed, key_messages }
}

/** The bot writes to each group once; returns how many devices got its key with that. */
async function groups(world, failed) {
	const { bot } = world
	let sent = 0
	const makeNode = bot.encryptedNode
	bot.encryptedNode = (...words) => (sent++, makeNode.apply(bot, words))
	for (const group of world.groups) {
		for (const [client, error] of await world.botWritesToGroup(group)) error && failed.push(senderKeyFile(world, group, client))
	}
	bot.encryptedNode = makeNode
	return sent
}

/** Each of the ill writes first; how many failed, and how many resends each of those needed. */
async function illFirst(world, ill) {
	const failed = []
	const resends = {}
	for (const n of ill) {
		const client = world.contacts[n].clients[0]
		if (!(await world.contactWrites(client))) continue
		failed.push(sessionFile(world, client))
		for (let receipt = 1; receipt <= 2; receipt++) {
			if (receipt === 1) await client.fetchSession(world.bot.jid)
			else await world.baileys.parseAndInjectE2ESessions(await world.bot.retryReceiptBundle(), client.repository)
			if (await world.contactWrites(client)) continue
			resends[receipt] = (resends[receipt] ?? 0) + 1
			break
		}
	}
	return { failed, resends }
}

/** The bot writes to each of the ill, and they answer. */
async function botFirst(world, ill) {
	const failed = []
	for (const n of ill) {
		const contact = world.contacts[n]
		for (const [client, error] of await world.botWrites(contact)) error && failed.push(`to ${sessionFile(world, client)}`)
		if (await world.contactWrites(contact.clients[0])) failed.push(`from ${sessionFile(world, contact.clients[0])}`)
	}
	return failed
}

/** What is measured of a folder at rest. */
async function measure(world, folder, ill) {
	return {
		...(await onCopy(world, folder, everybody)),
		ill_first: await onCopy(world, folder, copy => illFirst(copy, ill)),
		bot_first: await onCopy(world, folder, copy => botFirst(copy, ill))
	}
}

async function fingerprint(folder) {
	const found = {}
	for (const name of (await readdir(folder)).sort()) {
		const seen = await stat(join(folder, name))
		if (!seen.isFile() || name === '.cleanup.lock') continue
		found[name] = [createHash('sha256').update(await readFile(join(folder, name))).digest('hex'), seen.mode, seen.mtimeMs]
	}
	return found
}

async function newRoot(original, scratch) {
	const root = join(scratch, 'sessions')
	removeFolder(root)
	copyFolder(original, root)
	return root
}

async function still(world, command, undo, original, scratch, ill) {
	const root = await newRoot(original, scratch)
	const folder = join(root, COMPANY)
	const before = await fingerprint(folder)
	const ran = await runCommand(command, root)
	const left = await fingerprint(folder)
	const removed = Object.keys(before).filter(name => !left[name])
	const cured = await measure(world, folder, ill)
	const back = await runCommand(undo, root)
	const after = await fingerprint(folder)
	return { ran, removed, cured, undo: back, undone: JSON.stringify(before) === JSON.stringify(after) }
}

/** Talk as the illness needs it: to the groups, or to and from the ill contacts. Returns what failed. */
async function talk(world, kind, ill) {
	if (kind === 'contacts') return botFirst(world, ill)
	const failed = []
	await groups(world, failed)
	return failed
}

/**
 * The bot is on, and has just talked, or `waited` minutes ago. `later`: minutes that pass after the command. `restarted`:
 * with a new process.
 */
async function running(world, kind, command, undo, original, scratch, ill, how, now) {
	const { cached, later = 0, restarted = false, waited = 0 } = how
	const root = await newRoot(original, scratch)
	const folder = join(root, COMPANY)
	let bot = await loaded(world, folder, cached)
	const before = await talk(bot, kind, ill)
	if (waited) await growOlder(folder, waited)
	stopClock(now, -waited * MINUTE_DAYS)
	const stood = await fingerprint(folder)
	await runCommand(command, root)
	await runCommand(undo, root)
	const undone = JSON.stringify(stood) === JSON.stringify(await fingerprint(folder))
	const ran = await runCommand(command, root)
	const removed = JSON.parse(ran.output).set_aside
	stopClock(now, -(waited + later) * MINUTE_DAYS)
	if (restarted) {
		const { state } = await world.baileys.useMultiFileAuthState(folder)
		bot = bot.fork({ creds: state.creds, keys: cached ? world.baileys.makeCacheableSignalKeyStore(state.keys) : state.keys })
	}
	const after = await talk(bot, kind, ill)
	stopClock(now, 0)
	return { cached, later, restarted, waited, undone, exit_code: ran.exit_code, errors: ran.errors, output: ran.output, removed, before, after }
}

async function growOlder(folder, minutes) {
	for (const name of await readdir(folder)) {
		const path = join(folder, name)
		const { mtimeMs } = await stat(path)
		await utimes(path, mtimeMs / 1000 - minutes * 60, mtimeMs / 1000 - minutes * 60)
	}
}

async function main() {
	const options = { baileys: { type: 'string' }, ill: { type: 'string' }, log: { type: 'string' }, undo: { type: 'string' } }
	const { values, positionals } = parseArgs({ options, allowPositionals: true })
	const [command] = splitAt('--', positionals).filter(words => words.length)
	const now = Date.now()
	const world = await live(await loadBaileys(values.baileys), { end: now, ...LIFE })
	const scratch = await mkdtemp(join(tmpdir(), 'cures-contract-'))
	try {
		stopClock(now, 0)
		const original = join(scratch, 'original')
		const folder = join(original, COMPANY)
		const kind = values.ill
		const clients = kind === 'contacts' ? await rollBackSessions(world) : []
		const waiting = kind === 'groups' ? makeMembersWait(world) : []
		stopClock(now, -1 / 24 / 60)
		await world.writeFolder(folder)
		const ill = kind === 'contacts' ? [...ILL_CONTACTS, TORN_CONTACT] : []
		const illFiles = kind === 'contacts' ? (await spoilFiles(world, folder, clients)).map(client => sessionFile(world, client)) : waiting
		if (values.log) await onCopy(world, folder, copy => illFirst(copy, ill), values.log)
		const number = world.baileys.jidDecode(world.contacts[ILL_CONTACTS[0]].clients[0].creds.me.id).user
		const words = command.map(word => word.replace('{number}', number))
		const undo = [command[0], 'undo', '--json']
		const untouched = await measure(world, folder, ill)
		const report = { ...values, ill_files: illFiles, untouched, still: await still(world, words, undo, original, scratch, ill), running: [] }
		for (const how of [{ cached: false }, { cached: true }, { cached: true, later: 6 }, { cached: true, restarted: true }, { cached: true, waited: 6 }]) {
			report.running.push(await running(world, kind, words, undo, original, scratch, ill, how, now))
		}
		return report
	} finally {
		removeFolder(scratch)
	}
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
