/**
 * What else is done to the folder of a life: accidents, restores, recover, cures, a cleanup without the guard; older undos,
 * and those of a rollback and a reset.
 */

import { readdirSync, truncateSync, unlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { DAY_MS } from './folders.mjs'

const MINUTE = 1 / 24 / 60
const BOT = /--(919420739001|218684004005041_1)--17\.json$/

const isSession = name => name.startsWith('session-')
const isPreKey = name => name.startsWith('pre-key-')
const isOwnKey = name => /^sender-key-(?!memory-)/.test(name) && BOT.test(name)
const isPeersKey = name => /^sender-key-(?!memory-)/.test(name) && !BOT.test(name)

/** What an accident hits, and whether it leaves torn files behind. */
const ACCIDENTS = [
	{ hits: () => false },
	{ hits: name => name === 'creds.json', tears: true },
	{ hits: (name, dice) => isSession(name) && dice.roll() < 0.3, tears: true },
	{ hits: (name, dice) => isSession(name) && dice.roll() < 0.5 },
	{ hits: (name, dice) => isPreKey(name) && dice.roll() < 0.3, tears: true },
	{ hits: isPreKey },
	{ hits: (name, dice) => isPeersKey(name) && dice.roll() < 0.5 },
	{ hits: isOwnKey },
	{ hits: name => name.startsWith('lid-mapping-') },
	{ hits: (name, dice) => dice.roll() < 0.1, tears: true },
	{ hits: () => true }
]

const NOTHING = ACCIDENTS[0]
const TORN_CREDS = ACCIDENTS[1]
const TORN_SESSIONS = ACCIDENTS[2]

export class Mender {
	constructor(life, dice, rare) {
		this.life = life
		this.dice = dice
		this.rare = rare
		this.inSnapshot = new Set()
	}

	/** All that somebody does to this folder, at random moments. */
	moments() {
		const { life, dice } = this
		const found = []
		const at = (day, action) => found.push({ day, action })
		at(0.5, () => this.backup())
		for (let day = dice.between(0.6, 4); day < life.days; day += dice.between(0.5, 6)) at(day, () => this.backup())
		for (let day = dice.between(1, 4); day < life.days; day += dice.between(1, 5)) at(day, () => this.membersMakeNewKeys())
		for (let day = dice.between(3, 9), n = 0; day < life.days - 1; day += dice.between(1, 8), n++) {
			const why = `mending ${n}`
			const choice = dice.roll()
			if (choice < 0.55) {
				at(day, () => life.goesOff(why))
				at(day + 5 * MINUTE, () => this.restore({ mode: choice < 0.35 ? 'repair' : 'rollback' }, dice.pick(ACCIDENTS)))
				at(day + 10 * MINUTE, () => life.comesBack(why))
				if (dice.roll() < 0.3) at(day + dice.between(0.01, 0.9), () => life.undo(dice.pick([0, 0, 1, 2])))
			} else if (choice < 0.7) at(day, () => life.cleanup({ guard: false }))
			else if (choice < 0.85) at(day, () => this.resend())
			else at(day, () => life.undo(dice.pick([0, 1, 2])))
		}
		return [...found, ...this.rareMoments()]
	}

	/** What is done less often. All but the first with the bot off. */
	rareMoments() {
		const { life, rare } = this
		const acts = [
			() => this.restore({ mode: 'rollback', keep_sessions: true }, rare.pick(ACCIDENTS)),
			() => this.restore({ mode: 'repair', keep_sessions: true }, rare.pick(ACCIDENTS)),
			() => this.restore({ do: 'recover' }, TORN_CREDS),
			() => this.restore({ do: 'renew-broken' }, TORN_SESSIONS),
			() => this.restore({ mode: 'rollback', back: true }, NOTHING),
			() => this.undoneReset()
		]
		const found = []
		const at = (day, action) => found.push({ day, action })
		for (let day = rare.between(2, 7), n = 0; day < life.days - 1; day += rare.between(1, 7), n++) {
			const why = `rare ${n}`
			if (rare.roll() < 0.25) {
				at(day, () => this.renew())
				continue
			}
			const act = rare.pick(acts)
			at(day, () => life.goesOff(why))
			at(day + 5 * MINUTE, act)
			at(day + 10 * MINUTE, () => life.comesBack(why))
			if (rare.roll() < 0.3) at(day + rare.between(0.01, 0.9), () => life.undo(rare.pick([0, 0, 1])))
		}
		return found
	}

	async backup() {
		const { life } = this
		life.folder.write()
		await life.keeper.ask({ do: 'backup', now: life.now })
		this.inSnapshot = new Set(life.folder.written.keys())
	}

	/** The bot is off. With `keep_sessions` it was so since the snapshot. */
	async restore(asked, accident) {
		const { life } = this
		const { folder } = life
		if (asked.keep_sessions) await this.backup()
		folder.write()
		const torn = new Set([...folder.written].filter(([, { text }]) => !text).map(([name]) => name))
		const lost = this.damage(folder.path, accident)
		const { cost } = await life.keeper.ask({ do: 'restore', ...asked, now: life.now })
		// What was torn before and is missing still, this has not taken.
		const changed = folder.load().filter(name => !torn.has(name) || folder.written.get(name)?.text)
		life.world.bot.start()
		// What is lost and was in no snapshot is the accident's: nothing tells that it was ever there.
		const untold = changed.filter(name => !isPreKey(name) && !folder.written.has(name) && lost.has(name) && !this.inSnapshot.has(name))
		life.took(asked.mode ?? asked.do, changed.filter(name => !untold.includes(name)), cost)
		if (untold.length) life.took('accident', untold, null)
		for (const group of life.world.groups) if (changed.some(name => name.startsWith('sender-key-') && name.includes(group.jid))) life.told.delete(group)
	}

	/** The bot is off: nothing is another then. */
	async undoneReset() {
		const { life } = this
		life.folder.write()
		const { run } = await life.keeper.ask({ do: 'reset', now: life.now })
		const { exit_code, why } = await life.keeper.ask({ do: 'undo', run, now: life.now + MINUTE * DAY_MS })
		if (exit_code) throw new Error(`the undo of a reset: ${why}`)
		for (const name of life.folder.load()) life.report.unstated.push(life.say('another after the undo of a reset:', name, ''))
		life.world.bot.start()
		this.inSnapshot = new Set(life.folder.written.keys())
	}

	async renew() {
		const { life } = this
		life.folder.write()
		const { pn } = this.rare.pick(life.world.contacts)
		const { cost } = await life.keeper.ask({ do: 'renew', who: pn, now: life.now })
		life.took('renew', life.folder.read().gone, cost)
	}

	/** Return the names of what is gone without a trace. */
	damage(path, { hits, tears }) {
		const lost = new Set()
		const seconds = this.life.now / 1000 - 240
		for (const name of readdirSync(path).filter(name => name.endsWith('.json')).sort()) {
			if (!hits(name, this.dice)) continue
			const file = join(path, name)
			if (tears) {
				truncateSync(file)
				utimesSync(file, seconds, seconds)
			} else {
				unlinkSync(file)
				lost.add(name)
			}
		}
		return lost
	}

	/** Some of a group begin anew, as on a new phone: the next message of each brings its new key along, once. */
	async membersMakeNewKeys() {
		const { world } = this.life
		const group = this.dice.pick(world.groups)
		for (const client of group.members.filter(() => this.dice.roll() < 0.5)) {
			const address = client.repository.jidToSignalProtocolAddress(world.addressOf(client, group.mode))
			await client.keys.set({
				'sender-key': { [`${group.jid}::${address.replace('.', '::')}`]: null },
				'sender-key-memory': { [group.jid]: null }
			})
		}
	}

	async resend() {
		const { life } = this
		life.folder.write()
		const { cost } = await life.keeper.ask({ do: 'resend', now: life.now })
		life.took('resend', life.folder.read().gone, cost)
	}
}
