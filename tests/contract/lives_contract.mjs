/**
 * A random life of a bot that is cleaned every day, lived with the real client.
 *
 *     node lives_contract.mjs --baileys baileys7 --seed 7 [--days 30] [--mended] -- KEEPER [ARGUMENT...]
 *
 * Contacts, members of groups and strangers write, each with a rhythm of its own; the bot answers, sends to its groups,
 * and is off for hours or days, while what is written to it waits. The folder on disk follows each write, with its time.
 * KEEPER is a program that reads `{"do": "cleanup" | "watch" | "undo", "now": ms}` a line and answers one JSON line: for
 * a cleanup `{"cost": {...}}`. With `--mended` it is asked for more (mended.mjs).
 * The folder is `company_1` in BAILEYS_SESSIONS_PATH. Some cleanups come while the bot waits
 * for the server in the middle of a send to a group. Without KEEPER nothing is cleaned: then nothing fails.
 *
 * Each message that cannot be read at the first try is asked for again, as the client does, and has to come then. It is
 * put down to the cleanup that took the file it depends on. One JSON document goes to stdout:
 *
 * - `attempts`, `failures`: how many messages, and how many were not read at the first try
 * - `by_kind`: the same of messages to the bot, by `contact`, `member` and `stranger`
 * - `runs`: each cleanup with its stated cost and what failed for it: names of files by `contacts`, `group_senders`, `pre_keys`
 * - `unstated`: failures of files that no cleanup took, and messages of the bot that somebody could not read
 * - `lost`: messages that no asking again brought
 * - `key_messages`: how many devices were told a key of the bot's that they had
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { World } from '../../fixtures/generate/world.mjs'
import { DAY_MS } from './folders.mjs'
import { diceOf, Folder, Keeper, Life, momentsOf } from './lived.mjs'
import { Mender } from './mended.mjs'

const HOUR = 1 / 24

/** Moments of somebody with a rhythm: every so many days, with weeks of silence in between. */
function moments(dice, days) {
	return momentsOf(dice, days, dice.pick([0.3, 1, 2.5, 5, 9]), { chance: 0.08, days: [4, 18] })
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

async function plan(life, mender) {
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
	if (mender) agenda.push(...mender.moments())
	for (const [from, to] of offTimes(dice, days)) {
		at(from, () => life.goesOff('rest'))
		at(to, () => life.comesBack('rest'))
	}
	return agenda.sort((a, b) => a.day - b.day)
}

async function main() {
	const options = { baileys: { type: 'string' }, seed: { type: 'string' }, days: { type: 'string', default: '30' }, mended: { type: 'boolean' } }
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
	// Dice of its own: the life is the same with and without.
	const mender = values.mended ? new Mender(life, diceOf(Number(values.seed) + 1e6), diceOf(Number(values.seed) + 2e6)) : null
	try {
		for (const { day, action } of await plan(life, mender)) {
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
