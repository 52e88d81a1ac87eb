/**
 * The steady life of a bot, cleaned every day by one rule, lived with the real client: what rules.py compares.
 *
 *     node rules.mjs --baileys baileys7 --seed 1 [--days 60] -- KEEPER [ARGUMENT...]
 *
 * Who writes when is agenda.mjs's; only what the keeper removes differs by rule (tests/contract/lives_contract.mjs says
 * what a keeper is). One JSON document goes to stdout:
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
import { diceOf, Folder, Keeper, Life } from '../tests/contract/lived.mjs'
import { agendaOf } from './agenda.mjs'

/** What happens in a life, each with its day. */
async function played(life, seed) {
	const { world, days } = life
	const { contacts, groups, moments } = agendaOf(seed, days)
	for (const contact of contacts) await world.addContact(contact)
	for (const { id, members } of groups) world.addGroup(`${id}@g.us`, members.map(i => world.contacts[i]))
	const doing = {
		contactWrites: ({ contact, device }) => life.contactWrites(world.contacts[contact].clients[device]),
		botWrites: ({ contact }) => life.botWrites(world.contacts[contact]),
		memberWrites: ({ group, member }) => life.memberWrites(world.groups[group].members[member], world.groups[group]),
		botSends: ({ group }) => life.botSends(world.groups[group])
	}
	return moments.map(moment => ({ day: moment.day, action: () => doing[moment.does](moment) }))
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
		const moments = await played(life, Number(values.seed))
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
