/**
 * A random life of a bot that is cleaned every day, lived with the real client.
 *
 *     node lives_contract.mjs --baileys baileys7 --seed 7 [--days 30] -- KEEPER [ARGUMENT...]
 *
 * Contacts, members of groups and strangers write, each with a rhythm of its own; the bot answers, sends to its groups,
 * and is off for hours or days, while what is written to it waits. The folder on disk follows each write, with its time.
 * KEEPER is a program that reads `{"do": "cleanup" | "watch" | "undo", "now": ms}` a line and answers one JSON line: for
 * a cleanup `{"cost": {...}}`. The folder is `company_1` in BAILEYS_SESSIONS_PATH. Some cleanups come while the bot waits
 * for the server in the middle of a send to a group. Without KEEPER nothing is cleaned: then nothing fails.
 *
 * Each message that cannot be read at the first try is asked for again, as the client does, and has to come then. It is
 * put down to the cleanup that took the file it depends on. One JSON document goes to stdout:
 *
 * - `attempts`, `failures`: how many messages, and how many were not read at the first try
 * - `runs`: each cleanup with its stated cost and what failed for it: names of files by `contacts`, `group_senders`, `pre_keys`
 * - `unstated`: failures of files that no cleanup took, and messages of the bot that somebody could not read
 * - `lost`: messages that no asking again brought
 * - `key_messages`: how many devices were told a key of the bot's that they had
 */

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { fileName, World } from '../../fixtures/generate/world.mjs'
import { COMPANY, DAY_MS, senderKeyFile, sessionFile } from './folders.mjs'

const HOUR = 1 / 24
const RECEIPTS = 2

/** Random numbers that a seed repeats (mulberry32). */
function diceOf(seed) {
	let state = seed >>> 0
	const roll = () => {
		state = (state + 0x6d2b79f5) >>> 0
		let t = Math.imul(state ^ (state >>> 15), 1 | state)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
	return {
		roll,
		between: (low, high) => low + roll() * (high - low),
		pick: list => list[Math.floor(roll() * list.length)]
	}
}

/** The bot's folder on disk, written as useMultiFileAuthState does, and the bot's store, kept equal. */
class Folder {
	constructor(world, root) {
		this.world = world
		this.path = join(root, COMPANY)
		this.written = new Map()
		mkdirSync(this.path, { recursive: true })
	}

	write() {
		const { bot, baileys } = this.world
		const wanted = new Map([['creds.json', { text: JSON.stringify(bot.creds, baileys.BufferJSON.replacer), writtenAt: bot.credsWrittenAt }]])
		for (const entry of bot.store.entries.values()) wanted.set(fileName(entry.type, entry.id), entry)
		for (const [name, entry] of wanted) {
			const before = this.written.get(name)
			if (before?.text === entry.text && before.writtenAt === entry.writtenAt) continue
			writeFileSync(join(this.path, name), entry.text, { mode: 0o600 })
			utimesSync(join(this.path, name), entry.writtenAt / 1000, entry.writtenAt / 1000)
			this.written.set(name, { text: entry.text, writtenAt: entry.writtenAt })
		}
		for (const name of this.written.keys()) {
			if (wanted.has(name)) continue
			unlinkSync(join(this.path, name))
			this.written.delete(name)
		}
	}

	/** Take over what somebody else did to the files; return the names that went and those that came. */
	read() {
		const { entries } = this.world.bot.store
		const standing = new Set(readdirSync(this.path).filter(name => name.endsWith('.json')))
		const gone = [...this.written.keys()].filter(name => !standing.has(name))
		const came = [...standing].filter(name => !this.written.has(name))
		for (const [key, { type, id }] of entries) {
			const name = fileName(type, id)
			if (gone.includes(name)) {
				entries.delete(key)
				this.known.set(name, { type, id })
			}
		}
		for (const name of gone) this.written.delete(name)
		for (const name of came) {
			const { type, id } = this.known.get(name)
			const path = join(this.path, name)
			const entry = { text: readFileSync(path, 'utf8'), writtenAt: Math.round(statSync(path).mtimeMs) }
			entries.set(`${type}-${id}`, { type, id, ...entry })
			this.written.set(name, entry)
		}
		return { gone, came }
	}

	/** Type and id by the names of files that went. */
	known = new Map()
}

/** The program that cleans, asked a line at a time. */
class Keeper {
	constructor([program, ...words], root) {
		this.child = spawn(program, words, { env: { ...process.env, BAILEYS_SESSIONS_PATH: root }, stdio: ['pipe', 'pipe', 'inherit'] })
		this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
	}

	async ask(question) {
		this.child.stdin.write(JSON.stringify(question) + '\n')
		const { value, done } = await this.lines.next()
		if (done) throw new Error(`the keeper ended at ${JSON.stringify(question)}`)
		return JSON.parse(value)
	}

	end() {
		this.child.stdin.end()
	}
}

class Life {
	constructor(world, folder, keeper, dice, { start, days }) {
		Object.assign(this, { world, folder, keeper, dice, start, days })
		this.isOff = false
		this.waiting = []
		this.unread = []
		this.takenBy = new Map()
		this.told = new Map()
		this.report = { attempts: 0, failures: 0, runs: [], unstated: [], lost: [], key_messages: 0, undone: 0, days_off: 0 }
	}

	get now() {
		return Date.now()
	}

	say(what, file, error) {
		return `day ${((this.now - this.start) / DAY_MS).toFixed(2)}: ${what} ${file}: ${error}`
	}

	// --- what the bot gets ---

	/** Somebody sends a stanza that depends on `files`; it waits while the bot is off. */
	async arrives(kind, files, stanza, sender, again) {
		const message = { kind, files, stanza, sender, again }
		if (this.isOff) return this.waiting.push(message)
		await this.handle(message)
		await this.handleUnread()
	}

	async handle({ kind, files, stanza, sender, again }) {
		const { bot } = this.world
		this.report.attempts++
		const error = await bot.receive(stanza)
		if (!error) {
			for (const file of files) this.takenBy.delete(file)
			return
		}
		this.report.failures++
		const cause = files.find(file => this.takenBy.has(file))
		if (cause) this.takenBy.get(cause).failed.add(cause)
		else this.report.unstated.push(this.say(kind, files[0], error))
		this.unread.push({ kind, files, sender, again })
	}

	/**
	 * The senders get the receipts once the bot has gone through what waited. A sender makes one new session; what else of
	 * it was not read goes over that.
	 */
	async handleUnread() {
		const { bot, baileys } = this.world
		const renewed = new Set()
		for (const { kind, files, sender, again } of this.unread.splice(0)) {
			let error
			for (let receipt = renewed.has(sender) ? 0 : 1; receipt <= RECEIPTS; receipt++) {
				if (receipt === 1) await sender.fetchSession(bot.jid)
				if (receipt === 2) await baileys.parseAndInjectE2ESessions(await bot.retryReceiptBundle(), sender.repository)
				renewed.add(sender)
				error = await bot.receive(await again())
				if (!error) break
			}
			if (error) this.report.lost.push(this.say(kind, files[0], error))
		}
	}

	async contactWrites(client, kind = 'contact', files = [sessionFile(this.world, client)]) {
		const { world } = this
		await this.arrives(kind, files, await world.chatFrom(client), client, () => world.chatFrom(client))
	}

	async memberWrites(client, group) {
		const { world } = this
		const files = [senderKeyFile(world, group, client), sessionFile(world, client)]
		await this.arrives('member', files, await world.groupMessageFrom(client, group), client, async () => {
			await client.keys.set({ 'sender-key-memory': { [group.jid]: null } })
			return world.groupMessageFrom(client, group)
		})
	}

	async strangerTakes() {
		const stranger = await this.world.addStranger()
		const preKey = this.world.server.takeOffered(this.world.bot.jid)
		await this.world.takePreKey(stranger, preKey)
		return stranger
	}

	async strangerWrites(stranger) {
		await this.contactWrites(stranger, 'stranger', [`pre-key-${stranger.preKeyId}.json`, sessionFile(this.world, stranger)])
	}

	// --- what the bot does ---

	async botWrites(contact) {
		if (this.isOff) return
		for (const [client, error] of await this.world.botWrites(contact)) {
			this.report.attempts++
			if (error) this.report.unstated.push(this.say('unread of the bot:', sessionFile(this.world, client), error))
		}
	}

	/** A send to a group, with `meanwhile` between the reading of the memory and of the key. */
	async botSends(group, meanwhile = async () => {}) {
		if (this.isOff) return meanwhile()
		const { bot } = this.world
		const { senderKeyMemory, encryptedNode } = bot
		const told = this.told.get(group) ?? this.told.set(group, new Set()).get(group)
		const anew = jid => told.has(jid) && this.report.key_messages++
		bot.senderKeyMemory = async jid => {
			const memory = await senderKeyMemory.call(bot, jid)
			await meanwhile()
			return memory
		}
		bot.encryptedNode = (jid, ...words) => (anew(jid), told.add(jid), encryptedNode.call(bot, jid, ...words))
		try {
			for (const [client, error] of await this.world.botWritesToGroup(group)) {
				this.report.attempts++
				if (error) this.report.unstated.push(this.say(`unread of the bot in ${group.jid}:`, senderKeyFile(this.world, group, client), error))
			}
		} finally {
			Object.assign(bot, { senderKeyMemory, encryptedNode })
		}
	}

	async goesOff() {
		this.isOff = true
		this.offSince = this.now
	}

	async comesBack() {
		this.isOff = false
		this.report.days_off += (this.now - this.offSince) / DAY_MS
		await this.world.logIn()
		const waiting = this.waiting.splice(0)
		// Half the time the cleanup of the day comes between the login and what has waited.
		if (this.dice.roll() < 0.5) await this.cleanup()
		for (const message of waiting) await this.handle(message)
		await this.handleUnread()
	}

	// --- what the keeper does ---

	async cleanup() {
		if (!this.keeper) return
		this.folder.write()
		const { cost } = await this.keeper.ask({ do: 'cleanup', now: this.now })
		const { gone } = this.folder.read()
		const run = { day: (this.now - this.start) / DAY_MS, off: this.isOff, removed: gone.length, cost, failed: new Set() }
		this.report.runs.push(run)
		for (const file of gone) this.takenBy.set(file, run)
	}

	async watch() {
		if (!this.keeper) return
		this.folder.write()
		await this.keeper.ask({ do: 'watch', now: this.now })
	}

	async undo() {
		if (!this.keeper) return
		this.folder.write()
		await this.keeper.ask({ do: 'undo', now: this.now })
		const { came } = this.folder.read()
		for (const file of came) this.takenBy.delete(file)
		this.report.undone += came.length
	}
}

/** Moments of somebody with a rhythm: every so many days, with weeks of silence in between. */
function moments(dice, days) {
	const rhythm = dice.pick([0.3, 1, 2.5, 5, 9])
	const found = []
	let at = dice.between(0.05, Math.min(rhythm * 2, days))
	while (at < days) {
		found.push(at)
		at += rhythm * dice.between(0.3, 1.7) + (dice.roll() < 0.08 ? dice.between(4, 18) : 0)
	}
	return found
}

function offTimes(dice, days) {
	const found = []
	let at = dice.between(2, 12)
	while (at < days - 1) {
		const length = dice.pick([0.2, 0.8, 2, 3.5, 6, 12]) * dice.between(0.7, 1.2)
		found.push([at, Math.min(at + length, days - 0.5)])
		at += length + dice.between(3, 14)
	}
	return found
}

async function plan(life) {
	const { world, dice, days } = life
	const agenda = []
	const at = (day, action) => agenda.push({ day, action })
	const { hasLids } = world.baileys
	for (let i = 0; i < 10; i++) {
		const contact = await world.addContact({
			pn: String(919810000000 + i * 7919),
			lid: String(100000000000000 + i * 7777777777),
			devices: i % 4 === 1 ? [0, 12] : [0],
			mode: !hasLids && i % 5 === 4 ? 'lid' : undefined
		})
		for (const day of moments(dice, days)) {
			const client = dice.pick(contact.clients)
			at(day, () => life.contactWrites(client))
			if (dice.roll() < 0.5) at(day + dice.between(0.001, 0.3), () => life.botWrites(contact))
		}
	}
	const byNumber = world.contacts.filter(contact => hasLids || contact.clients[0].mode === 'pn')
	for (const [n, jid] of ['120363400000000001@g.us', '919420739001-1600000000@g.us', '120363400000000002@g.us'].entries()) {
		const members = byNumber.filter(() => dice.roll() < 0.6)
		const group = world.addGroup(jid, members, n === 1 ? 'pn' : undefined)
		for (const client of group.members) for (const day of moments(dice, days)) at(day, () => life.memberWrites(client, group))
		for (const day of moments(dice, days)) at(day, () => life.botSends(group))
		if (dice.roll() < 0.3) at(dice.between(1, days), async () => life.isOff || (life.told.delete(group), await world.memberAsksAgain(group)))
	}
	for (let i = 0; i < dice.between(5, 40); i++) {
		const day = dice.between(0.1, days - 0.1)
		let stranger
		at(day, async () => (stranger = await life.strangerTakes()))
		at(Math.min(day + dice.pick([0.001, 0.1, 1, 4, 9]), days), () => life.strangerWrites(stranger))
	}
	const hour = dice.between(0, 1)
	for (let day = 1; day < days; day++) {
		const group = dice.pick(world.groups)
		at(day + hour, () => (dice.roll() < 0.3 ? life.botSends(group, () => life.cleanup()) : life.cleanup()))
		if (dice.roll() < 0.1) at(day + hour + dice.between(0.01, 0.9), () => life.undo())
	}
	if (dice.roll() < 0.7) for (let day = 0.01; day < days; day += 6 * HOUR) at(day, () => life.watch())
	for (const [from, to] of offTimes(dice, days)) {
		at(from, () => life.goesOff())
		at(to, () => life.comesBack())
	}
	return agenda.sort((a, b) => a.day - b.day)
}

async function main() {
	const options = { baileys: { type: 'string' }, seed: { type: 'string' }, days: { type: 'string', default: '30' } }
	const split = process.argv.indexOf('--', 2)
	const words = split < 0 ? [] : process.argv.slice(split + 1)
	const { values } = parseArgs({ options, args: process.argv.slice(2, split < 0 ? undefined : split) })
	const days = Number(values.days)
	const dice = diceOf(Number(values.seed))
	const end = Date.now()
	const start = end - days * DAY_MS
	const root = mkdtempSync(join(tmpdir(), 'lives-'))
	stopClock(end, days)
	const order = dice.pick(['fifo', 'random'])
	const world = await World.pair(await loadBaileys(values.baileys), { pn: '919420739001', lid: '218684004005041', order })
	const keeper = words.length ? new Keeper(words, root) : null
	const life = new Life(world, new Folder(world, root), keeper, dice, { start, days })
	try {
		for (const { day, action } of await plan(life)) {
			stopClock(end, days - day)
			await action()
		}
	} finally {
		keeper?.end()
		rmSync(root, { recursive: true, force: true })
	}
	const kindOf = file => (file.startsWith('session-') ? 'contacts' : file.startsWith('pre-key-') ? 'pre_keys' : 'group_senders')
	for (const run of life.report.runs) {
		const failed = { contacts: [], group_senders: [], pre_keys: [] }
		for (const file of run.failed) failed[kindOf(file)].push(file)
		run.failed = failed
	}
	return { ...values, order, ...life.report }
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
