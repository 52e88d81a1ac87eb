/** What else is done to the folder of a life: accidents, restores, cures, older undos, a cleanup without the guard. */

import { readdirSync, truncateSync, unlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

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

export class Mender {
	constructor(life, dice) {
		this.life = life
		this.dice = dice
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
				at(day + 5 * MINUTE, () => this.restore(choice < 0.35 ? 'repair' : 'rollback', dice.pick(ACCIDENTS)))
				at(day + 10 * MINUTE, () => life.comesBack(why))
				if (dice.roll() < 0.3) at(day + dice.between(0.01, 0.9), () => life.undo(dice.pick([0, 0, 1, 2])))
			} else if (choice < 0.7) at(day, () => life.cleanup({ guard: false }))
			else if (choice < 0.85) at(day, () => this.resend())
			else at(day, () => life.undo(dice.pick([0, 1, 2])))
		}
		return found
	}

	async backup() {
		const { life } = this
		life.folder.write()
		await life.keeper.ask({ do: 'backup', now: life.now })
		this.inSnapshot = new Set(life.folder.written.keys())
	}

	async restore(mode, accident) {
		const { life } = this
		const { folder } = life
		folder.write()
		const lost = this.damage(folder.path, accident)
		const { cost } = await life.keeper.ask({ do: 'restore', mode, now: life.now })
		const changed = folder.load()
		life.world.bot.start()
		// What is lost and was in no snapshot is the accident's: nothing tells that it was ever there.
		const untold = changed.filter(name => !isPreKey(name) && !folder.written.has(name) && lost.has(name) && !this.inSnapshot.has(name))
		life.took(mode, changed.filter(name => !untold.includes(name)), cost)
		if (untold.length) life.took('accident', untold, null)
		for (const group of life.world.groups) if (changed.some(name => name.startsWith('sender-key-') && name.includes(group.jid))) life.told.delete(group)
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
