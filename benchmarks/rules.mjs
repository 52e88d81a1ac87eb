/**
 * The steady life of a bot, cleaned every day by one rule, lived with the real client: what rules.py compares.
 *
 *     node rules.mjs --baileys baileys7 --seed 1 [--days 60] -- KEEPER [ARGUMENT...]
 *
 * 24 contacts, a quarter of them with a second device, and five groups of three in four of them. Some write every other
 * day, some every few weeks; the bot answers, and sends to its groups. One seed is one life, whatever the rule: only what
 * the keeper removes differs (tests/contract/lives_contract.mjs says what a keeper is). One JSON document goes to stdout:
 *
 * - `by_kind`, `key_messages`, `unstated`, `lost`: as in lives_contract.mjs
 * - `stated`: the sum of what the plans of all cleanups stated
 * - `kept`: how many sessions and sender-keys stood after a cleanup, on average
 * - `tried`: with `--try`, what the keeper answered to `{"do": "try"}` after the last day
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../fixtures/generate/client.mjs'
import { stopClock } from '../fixtures/generate/clock.mjs'
import { World } from '../fixtures/generate/world.mjs'
import { DAY_MS } from '../tests/contract/folders.mjs'
import { diceOf, Folder, Keeper, Life, momentsOf } from '../tests/contract/lived.mjs'

const CONTACTS = 24
const GROUPS = ['120363400000000001', '120363400000000002', '120363400000000003', '120363400000000004', '120363400000000005']
const MEMBERS_WRITE_EVERY = [2, 2.5, 15, 30, 60]
const CONTACTS_WRITE_EVERY = [1, 2, 3]
const BOT_SENDS_EVERY = [4, 7]
const AWAY = { chance: 0.04, days: [6, 25] }

async function agenda(life) {
	const { world, dice, days } = life
	const found = []
	const at = (day, action) => found.push({ day, action })
	for (let i = 0; i < CONTACTS; i++) {
		const contact = await world.addContact({
			pn: String(919810000000 + i * 7919),
			lid: String(100000000000000 + i * 7777777777),
			devices: i % 4 === 1 ? [0, 12] : [0]
		})
		for (const day of momentsOf(dice, days, dice.pick(CONTACTS_WRITE_EVERY), AWAY)) {
			const client = dice.pick(contact.clients)
			at(day, () => life.contactWrites(client))
			if (dice.roll() < 0.5) at(day + 0.01, () => life.botWrites(contact))
		}
	}
	for (const id of GROUPS) {
		const group = world.addGroup(`${id}@g.us`, world.contacts.filter(() => dice.roll() < 0.75))
		for (const client of group.members) {
			for (const day of momentsOf(dice, days, dice.pick(MEMBERS_WRITE_EVERY), AWAY)) at(day, () => life.memberWrites(client, group))
		}
		for (const day of momentsOf(dice, days, dice.pick(BOT_SENDS_EVERY), AWAY)) at(day, () => life.botSends(group))
	}
	return found
}

async function main() {
	const options = { baileys: { type: 'string' }, seed: { type: 'string' }, days: { type: 'string', default: '60' }, try: { type: 'boolean' } }
	const split = process.argv.indexOf('--', 2)
	const { values } = parseArgs({ options, args: process.argv.slice(2, split) })
	const days = Number(values.days)
	const dice = diceOf(Number(values.seed))
	const end = Date.now()
	const start = end - days * DAY_MS
	const root = mkdtempSync(join(tmpdir(), 'rules-'))
	stopClock(end, days)
	const world = await World.pair(await loadBaileys(values.baileys), { pn: '919420739001', lid: '218684004005041' })
	const keeper = new Keeper(process.argv.slice(split + 1), root)
	const folder = new Folder(world, root)
	const life = new Life(world, folder, keeper, dice, { start, days })
	const kept = []
	const clean = async () => {
		await life.cleanup()
		kept.push(readdirSync(folder.path).filter(name => /^(session|sender-key)-(?!memory)/.test(name)).length)
	}
	let tried
	try {
		const moments = await agenda(life)
		for (let day = 1; day < days; day++) moments.push({ day: day + 0.55, action: clean })
		for (const { day, action } of moments.sort((a, b) => a.day - b.day)) {
			stopClock(end, days - day)
			await action()
		}
		stopClock(end, 0)
		if (values.try) tried = await keeper.ask({ do: 'try', now: Date.now(), days })
	} finally {
		keeper.end()
		rmSync(root, { recursive: true, force: true })
	}
	const { by_kind, key_messages, unstated, lost, runs } = life.report
	const stated = {}
	for (const { cost } of runs) for (const [what, count] of Object.entries(cost)) stated[what] = (stated[what] ?? 0) + count
	const average = kept.reduce((sum, count) => sum + count, 0) / kept.length
	return { ...values, by_kind, key_messages, stated, kept: Math.round(average), unstated, lost, tried }
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
