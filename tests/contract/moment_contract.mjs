/**
 * What a cleanup costs that comes at a bad moment, measured with the real client.
 *
 *     node moment_contract.mjs --baileys baileys7 --off 3.5 [--login] -- COMMAND [ARGUMENT...] [-- COMMAND...]
 *     node moment_contract.mjs --baileys baileys7 --sending -- COMMAND [ARGUMENT...] [-- COMMAND...]
 *
 * `--off`: the bot was off for so many days, and everybody wrote to it meanwhile. Each command runs on a copy of the
 * folder; then the bot reads what has waited. With `--login` it has logged in just before the command.
 *
 * `--sending`: a send to each group stands between its reading of the memory and of the bot's own key (it waits for the
 * server there) while the command runs. `keyed` are the devices that get the key with the message, by group,
 * `fetched` those for which a bundle is fetched.
 *
 * Failures are named by the file of the bot that the message depends on. One JSON document goes to stdout.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import {
	agesInDays,
	COMPANY,
	copyFolder,
	DAY_MS,
	removeFolder,
	runCommand,
	senderKeyFile,
	sessionFile,
	splitAt,
	watchedSend
} from './folders.mjs'

const LIFE = { paired: 60, contacts: 20, perGroup: 5, order: 'fifo' }

/** What everybody writes while the bot is off: [direction, file, stanza], each made at its own moment. */
async function queueUp(world, { end, off }) {
	const queue = []
	const writers = [
		...world.contacts.flatMap(contact => contact.clients.map(client => [client])),
		...world.groups.flatMap(group => group.members.map(client => [client, group]))
	]
	for (const [n, [client, group]] of writers.entries()) {
		stopClock(end, -off * ((n + 1) / (writers.length + 1)))
		if (group) queue.push(['group', senderKeyFile(world, group, client), await world.groupMessageFrom(client, group)])
		else queue.push(['contact', sessionFile(world, client), await world.chatFrom(client)])
	}
	return queue
}

/** Load a copy of the folder as the bot, do something with it, and forget it. */
async function onCopy(world, folder, work) {
	const copy = await mkdtemp(join(tmpdir(), 'moment-copy-'))
	try {
		copyFolder(folder, copy)
		const { state } = await world.baileys.useMultiFileAuthState(copy)
		return await work(world.fork(state), copy)
	} finally {
		removeFolder(copy)
	}
}

async function readQueue(world, folder, queue) {
	return onCopy(world, folder, async ({ bot }) => {
		const failed = { contact: {}, group: {} }
		for (const [direction, file, stanza] of queue) {
			const error = await bot.receive(stanza)
			if (error) failed[direction][file] = error
		}
		return { attempts: queue.length, failed }
	})
}

/** Run a command on a copy of the root; return what it said and removed, and what `work(folder)` finds then. */
async function afterCommand(command, original, scratch, work) {
	const root = join(scratch, 'sessions')
	const folder = join(root, COMPANY)
	copyFolder(original, root)
	const ran = await runCommand(command, root)
	const left = new Set(await readdir(folder))
	const removed = (await readdir(join(original, COMPANY))).filter(name => !left.has(name))
	const found = await work(folder)
	removeFolder(root)
	return { command, ...ran, removed, ...found }
}

async function whileOff(world, values, now, commands, scratch, original) {
	const off = Number(values.off)
	const queue = await queueUp(world, { end: now - off * DAY_MS, off })
	stopClock(now, 0)
	if (values.login) await world.logIn()
	await world.writeFolder(join(original, COMPANY))
	const report = {
		age_days: await agesInDays(join(original, COMPANY), now),
		untouched: await readQueue(world, join(original, COMPANY), queue),
		runs: []
	}
	for (const command of commands) {
		report.runs.push(await afterCommand(command, original, scratch, folder => readQueue(world, folder, queue)))
	}
	return report
}

/** One send to a group, with `meanwhile` between the reading of the memory and that of the key. */
async function send(world, group, meanwhile = async () => {}) {
	const { bot } = world
	const readMemory = bot.senderKeyMemory
	bot.senderKeyMemory = async jid => {
		const memory = await readMemory.call(bot, jid)
		await meanwhile()
		return memory
	}
	const failed = {}
	const { keyed, fetched, outcomes } = await watchedSend(world, group)
	for (const [client, error] of outcomes) {
		if (error) failed[senderKeyFile(world, group, client)] = error
	}
	return { keyed: keyed.map(jid => [group.jid, jid]), fetched, failed }
}

/** One after the other, as a device of two groups needs one bundle. */
async function sendToAll(world) {
	const sent = []
	for (const group of world.groups) sent.push(await send(world, group))
	return sent
}

async function whileSending(world, values, now, commands, scratch, original) {
	stopClock(now, 0)
	await world.writeFolder(join(original, COMPANY))
	const report = { age_days: await agesInDays(join(original, COMPANY), now), runs: [] }
	const groups = world.groups.map((_, n) => n)
	report.untouched = await onCopy(world, join(original, COMPANY), copied => sendToAll(copied))
	for (const command of commands) report.runs.push(await runWhileSending(world, command, groups, original, scratch))
	return report
}

/**
 * The command runs once before each send: its cost is stated and measured there. Then, for those groups of which it took
 * the memory, twice during a send, and once during one where the memory had gone before.
 */
async function runWhileSending(world, command, groups, original, scratch) {
	const ran = await afterCommand(command, original, scratch, async folder => {
		return { after: await onCopy(world, folder, copied => sendToAll(copied)) }
	})
	const during = []
	const without_memory = []
	for (const n of groups.filter(n => ran.removed.includes(memoryFile(world.groups[n])))) {
		during.push(await interrupted(world, n, [command, command], original, scratch))
		without_memory.push(await interrupted(world, n, [command], original, scratch, true))
	}
	return { ...ran, during, without_memory }
}

function memoryFile(group) {
	return `sender-key-memory-${group.jid}.json`
}

async function interrupted(world, n, commands, original, scratch, isForgotten = false) {
	const root = join(scratch, 'sending')
	const folder = join(root, COMPANY)
	copyFolder(original, root)
	if (isForgotten) await rm(join(folder, memoryFile(world.groups[n])), { force: true })
	const before = await readdir(folder)
	const { state } = await world.baileys.useMultiFileAuthState(folder)
	const copied = world.fork(state)
	let removed = []
	const sent = await send(copied, copied.groups[n], async () => {
		for (const command of commands) await runCommand(command, root)
		const left = new Set(await readdir(folder))
		removed = before.filter(name => !left.has(name))
	})
	// The message after it shows what the bot was left with.
	const next = await send(copied, copied.groups[n])
	removeFolder(root)
	return { ...sent, removed, next_failed: next.failed }
}

async function main() {
	const options = {
		baileys: { type: 'string' },
		off: { type: 'string' },
		login: { type: 'boolean', default: false },
		sending: { type: 'boolean', default: false }
	}
	const { values, positionals } = parseArgs({ options, allowPositionals: true })
	const commands = splitAt('--', positionals).filter(words => words.length)
	const now = Date.now()
	const end = now - Number(values.off ?? 0) * DAY_MS
	const world = await live(await loadBaileys(values.baileys), { end, ...LIFE })
	const scratch = await mkdtemp(join(tmpdir(), 'moment-contract-'))
	try {
		const measure = values.sending ? whileSending : whileOff
		return { ...values, ...(await measure(world, values, now, commands, scratch, join(scratch, 'original'))) }
	} finally {
		removeFolder(scratch)
	}
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
