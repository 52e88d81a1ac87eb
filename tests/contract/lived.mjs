/** A bot whose folder stands on disk while it lives with the real client, and what its keeper does to that folder. */

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { preKeyId } from '../../fixtures/generate/server.mjs'
import { fileName } from '../../fixtures/generate/world.mjs'
import { COMPANY, DAY_MS, senderKeyFile, sessionFile } from './folders.mjs'

const RECEIPTS = 2

/** Random numbers that a seed repeats (mulberry32). */
export function diceOf(seed) {
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

/** Moments of somebody who writes every so many days, and now and then (`pause.chance`) is away for some more. */
export function momentsOf(dice, days, every, pause) {
	const found = []
	let at = dice.between(0.05, Math.min(every * 2, days))
	while (at < days) {
		found.push(at)
		at += every * dice.between(0.3, 1.7) + (dice.roll() < pause.chance ? dice.between(...pause.days) : 0)
	}
	return found
}

/** The bot's folder on disk, written as useMultiFileAuthState does, and the bot's store, kept equal. */
export class Folder {
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
			if (entry.type) this.known.set(name, { type: entry.type, id: entry.id })
			const before = this.written.get(name)
			if (before?.text === entry.text && before.writtenAt === entry.writtenAt) continue
			writeFileSync(join(this.path, name), entry.text, { mode: 0o600 })
			utimesSync(join(this.path, name), entry.writtenAt / 1000, entry.writtenAt / 1000)
			this.written.set(name, { text: entry.text, writtenAt: entry.writtenAt })
		}
		for (const name of this.written.keys()) {
			// The bot knows nothing of a torn file.
			if (wanted.has(name) || !this.written.get(name).text) continue
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
			if (gone.includes(name)) entries.delete(key)
		}
		for (const name of gone) this.written.delete(name)
		for (const name of came) {
			const { type, id } = this.known.get(name)
			const path = join(this.path, name)
			const entry = { text: readFileSync(path, 'utf8'), writtenAt: Math.round(statSync(path).mtimeMs) }
			if (entry.text) entries.set(`${type}-${id}`, { type, id, ...entry })
			this.written.set(name, entry)
		}
		return { gone, came }
	}

	/**
	 * Take over all that stands there now, as a bot that starts; return the names of what is another than before. What
	 * `JSON.parse` refuses is missing for it (Utils/use-multi-file-auth-state.js: readData).
	 */
	load() {
		const { bot, baileys } = this.world
		const before = new Map(this.written)
		bot.store.entries.clear()
		this.written.clear()
		for (const name of readdirSync(this.path).filter(name => name.endsWith('.json'))) {
			const path = join(this.path, name)
			const entry = { text: readFileSync(path, 'utf8'), writtenAt: Math.round(statSync(path).mtimeMs) }
			this.written.set(name, entry)
			if (name === 'creds.json') {
				for (const key of Object.keys(bot.creds)) delete bot.creds[key]
				Object.assign(bot.creds, JSON.parse(entry.text, baileys.BufferJSON.reviver))
				bot.credsWrittenAt = entry.writtenAt
			} else if (entry.text) {
				const { type, id } = this.known.get(name)
				bot.store.entries.set(`${type}-${id}`, { type, id, ...entry })
			}
		}
		return [...new Set([...before.keys(), ...this.written.keys()])].filter(name => before.get(name)?.text !== this.written.get(name)?.text)
	}

	/** Type and id by the names of files that went. */
	known = new Map()
}

/** The program that cleans, asked a line at a time. */
export class Keeper {
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

export class Life {
	constructor(world, folder, keeper, dice, { start, days }) {
		Object.assign(this, { world, folder, keeper, dice, start, days })
		/** Why it is off: for a time of its own, for who mends it. */
		this.offFor = new Set()
		this.waiting = []
		this.unread = []
		this.takenBy = new Map()
		/** By sender-keys of which a newer one came over a session that was lost: that session, and the run that took it. */
		this.unheard = new Map()
		/** With which pre-key of the bot's somebody has begun of whom it has read nothing since. */
		this.begunWith = new Map()
		this.told = new Map()
		this.report = { attempts: 0, failures: 0, runs: [], unstated: [], lost: [], key_messages: 0, undone: 0, days_off: 0, by_kind: {} }
	}

	get isOff() {
		return this.offFor.size > 0
	}

	get now() {
		return Date.now()
	}

	say(what, file, error) {
		return `day ${((this.now - this.start) / DAY_MS).toFixed(2)}: ${what} ${file}: ${error}`
	}

	// --- what the bot gets ---

	/** Somebody sends a stanza that depends on `files`, the first before the others, and `brings` a key; it waits while the bot is off. */
	async arrives(kind, files, stanza, sender, again, brings) {
		const message = { kind, files, stanza, sender, again, brings }
		if (this.isOff) return this.waiting.push(message)
		await this.handle(message)
		await this.handleUnread()
	}

	async handle({ kind, files, stanza, sender, again, brings }) {
		const { bot } = this.world
		const counted = (this.report.by_kind[kind] ??= { attempts: 0, failures: 0 })
		this.report.attempts++
		counted.attempts++
		const error = await bot.receive(stanza)
		if (!error) {
			// What goes by the sender-key alone makes no new session: the next message that needs it will miss it.
			const standing = new Set([...bot.store.entries.values()].map(({ type, id }) => fileName(type, id)))
			for (const file of files) if (standing.has(file)) this.takenBy.delete(file)
			this.unheard.delete(brings)
			if (files.includes(this.begunWith.get(sender))) this.begunWith.delete(sender)
			return
		}
		this.report.failures++
		counted.failures++
		const taken = files.find(file => this.takenBy.has(file))
		const cause = this.unheard.get(files[0]) ?? (taken && { run: this.takenBy.get(taken), file: taken })
		if (cause) cause.run.failed.add(cause.file)
		else this.report.unstated.push(this.say(kind, files[0], error))
		if (brings && taken && taken !== brings) this.unheard.set(brings, cause)
		this.unread.push({ kind, files, sender, again })
	}

	/**
	 * The senders get the receipts once the bot has gone through what waited. A sender makes one new session; what else of
	 * it was not read goes over that.
	 */
	async handleUnread() {
		const { bot, baileys } = this.world
		const renewed = new Set()
		this.unheard.clear()
		for (const { kind, files, sender, again } of this.unread.splice(0)) {
			let error
			for (let receipt = renewed.has(sender) ? 0 : 1; receipt <= RECEIPTS; receipt++) {
				this.begunWith.delete(sender)
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
		const stanza = await this.made(client, () => world.chatFrom(client))
		await this.arrives(kind, [...this.preKeyOf(client), ...files], stanza, client, () => world.chatFrom(client))
	}

	/** What somebody makes, who may take one of the bot's pre-keys for it: so a contact begins whom the bot has not answered yet. */
	async made(client, make) {
		const { server, bot } = this.world
		const { takeOffered } = server
		server.takeOffered = jid => {
			const preKey = takeOffered.call(server, jid)
			if (server.clients.get(jid) === bot) this.begunWith.set(client, `pre-key-${preKeyId(preKey)}.json`)
			return preKey
		}
		try {
			return await make()
		} finally {
			server.takeOffered = takeOffered
		}
	}

	preKeyOf(client) {
		return this.begunWith.has(client) ? [this.begunWith.get(client)] : []
	}

	async memberWrites(client, group) {
		const { world } = this
		const [key, session] = [senderKeyFile(world, group, client), sessionFile(world, client)]
		const stanza = await this.made(client, () => world.groupMessageFrom(client, group))
		// A new key comes beside the message, over the session: where that is read, so is the message.
		const brings = stanza.content.length > 1 ? key : undefined
		const again = async () => {
			await client.keys.set({ 'sender-key-memory': { [group.jid]: null } })
			return world.groupMessageFrom(client, group)
		}
		const files = brings ? [...this.preKeyOf(client), session, key] : [key, session]
		await this.arrives('member', files, stanza, client, again, brings)
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

	async goesOff(why) {
		if (!this.isOff) this.offSince = this.now
		this.offFor.add(why)
	}

	async comesBack(why) {
		this.offFor.delete(why)
		if (this.isOff) return
		this.report.days_off += (this.now - this.offSince) / DAY_MS
		await this.world.logIn()
		const waiting = this.waiting.splice(0)
		// Half the time the cleanup of the day comes between the login and what has waited.
		if (this.dice.roll() < 0.5) await this.cleanup()
		for (const message of waiting) await this.handle(message)
		await this.handleUnread()
	}

	// --- what the keeper does ---

	async cleanup(more = {}) {
		if (!this.keeper) return
		this.folder.write()
		const { cost } = await this.keeper.ask({ do: 'cleanup', now: this.now, ...more })
		this.took('cleanup', this.folder.read().gone, cost)
	}

	/** From now on what fails for these files is put down to this run. */
	took(what, files, cost) {
		const run = { what, day: (this.now - this.start) / DAY_MS, off: this.isOff, removed: files.length, cost, failed: new Set() }
		this.report.runs.push(run)
		for (const file of files) this.takenBy.set(file, run)
	}

	async watch() {
		if (!this.keeper) return
		this.folder.write()
		await this.keeper.ask({ do: 'watch', now: this.now })
	}

	async undo(older = 0) {
		if (!this.keeper) return
		this.folder.write()
		await this.keeper.ask({ do: 'undo', older, now: this.now })
		const { came } = this.folder.read()
		// What comes back torn is missing still.
		for (const file of came) if (this.folder.written.get(file).text) this.takenBy.delete(file)
		this.report.undone += came.length
	}
}
