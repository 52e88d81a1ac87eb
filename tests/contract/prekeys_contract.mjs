/**
 * What becomes of new chats when a cleanup takes pre-keys, measured with the real client.
 *
 *     node prekeys_contract.mjs --cells cells.json -- COMMAND [ARGUMENT...]
 *
 * Each cell is a moment in the life of a bot: {version, now, next_id, written: {id: seconds}, offered: [id], log}. Its folder
 * is written by Baileys, with real keys and the times of that life; the server offers what it then has. The command cleans
 * it, with settings that name the bot's `log` where there is one. Then Baileys loads the folder, and strangers write
 * with pre-keys that the server offers: with each that went, and with some of those that stay. They write to the untouched
 * folder as well: what fails there is no cost of the cleanup.
 *
 * One JSON document goes to stdout: of each cell what the command printed, which files went, and what failed.
 */

import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { World } from '../../fixtures/generate/world.mjs'
import { COMPANY, copyFolder, removeFolder, runCommand } from './folders.mjs'

const WHO = { pn: '919420739001', lid: '218684004005041' }
const TRIED_OF_THE_REST = 20

/** Give the world's bot the pre-keys of a cell, as Utils/signal.js generateOrGetPreKeys makes them. */
function takeOver(world, { next_id, written, offered, now }) {
	const { bot, baileys, server } = world
	for (const [key, { type }] of bot.store.entries) if (type === 'pre-key') bot.store.entries.delete(key)
	const pairs = new Map([...Object.keys(written).map(Number), ...offered].map(id => [id, baileys.Curve.generateKeyPair()]))
	for (const [id, at] of Object.entries(written)) {
		bot.store.put('pre-key', id, pairs.get(Number(id)))
		bot.store.entries.get(`pre-key-${id}`).writtenAt = Date.now() - (now - at) * 1000
	}
	bot.updateCreds({ nextPreKeyId: next_id, firstUnuploadedPreKeyId: next_id })
	server.account(bot.jid).offered = offered.map(id => baileys.xmppPreKey(pairs.get(id), id))
}

/** Strangers write with these pre-keys; returns what went wrong, by id. */
async function chats(world, folder, scratch, ids) {
	const copy = join(scratch, 'copy')
	copyFolder(folder, copy)
	const { state } = await world.baileys.useMultiFileAuthState(copy)
	const now = world.fork(state)
	const stranger = await now.addStranger()
	const nodes = new Map(now.server.offeredIds(now.bot.jid).map((id, n) => [id, now.server.account(now.bot.jid).offered[n]]))
	const failed = {}
	for (const id of ids) {
		await now.takePreKey(stranger, nodes.get(id))
		const error = await now.contactWrites(stranger)
		if (error) failed[id] = error
		await now.forget(stranger)
	}
	removeFolder(copy)
	return failed
}

async function settingsWithLog(scratch, log) {
	if (!log) return []
	const [settings, path] = [join(scratch, 'settings.yaml'), join(scratch, 'bot.log')]
	await writeFile(path, log)
	await writeFile(settings, `logs: [{path: ${path}, company: '1'}]`, { mode: 0o600 })
	return ['--config', settings]
}

async function measured(world, cell, command) {
	takeOver(world, cell)
	const scratch = await mkdtemp(join(tmpdir(), 'prekeys-contract-'))
	try {
		const root = join(scratch, 'sessions')
		const folder = join(root, COMPANY)
		await mkdir(root)
		await world.writeFolder(folder)
		const untouched = join(scratch, 'untouched')
		copyFolder(folder, untouched)
		const ran = await runCommand([...command, ...(await settingsWithLog(scratch, cell.log))], root)
		const left = new Set(await readdir(folder))
		const removed = (await readdir(untouched)).filter(name => !left.has(name))
		const gone = cell.offered.filter(id => !left.has(`pre-key-${id}.json`))
		const there = cell.offered.filter(id => left.has(`pre-key-${id}.json`))
		const step = Math.ceil(there.length / TRIED_OF_THE_REST)
		const tried = [...gone, ...there.filter((_, n) => n % step === 0)]
		const before = await chats(world, untouched, scratch, tried)
		return { ...ran, removed, tried: tried.length, before, failed: await chats(world, folder, scratch, tried) }
	} finally {
		removeFolder(scratch)
	}
}

async function main() {
	const { values, positionals } = parseArgs({ options: { cells: { type: 'string' } }, allowPositionals: true })
	const worlds = new Map()
	const found = []
	for (const cell of JSON.parse(await readFile(values.cells, 'utf8'))) {
		if (!worlds.has(cell.version)) worlds.set(cell.version, await World.pair(await loadBaileys(cell.version), WHO))
		found.push(await measured(worlds.get(cell.version), cell, positionals))
	}
	return found
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
