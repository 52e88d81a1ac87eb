/** A few days of a bot with eight contacts in one group, as the scripts of a single moment tell them. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { World } from '../../fixtures/generate/world.mjs'
import { DAY_MS } from './folders.mjs'
import { diceOf, Folder, Keeper, Life } from './lived.mjs'

/** Given how many days it has and what happens, write what that returns to stdout as JSON, and end. `day` goes to a day. */
export async function tellShortLife(name, days, happens) {
	const options = { baileys: { type: 'string' }, straight: { type: 'boolean' } }
	const split = process.argv.indexOf('--', 2)
	const { values } = parseArgs({ options, args: process.argv.slice(2, split) })
	const end = Date.now()
	const day = at => stopClock(end, days - at)
	const root = mkdtempSync(join(tmpdir(), `${name}-`))
	day(0)
	const world = await World.pair(await loadBaileys(values.baileys), { pn: '919420739001', lid: '218684004005041', order: 'fifo' })
	const keeper = new Keeper(process.argv.slice(split + 1), root)
	const life = new Life(world, new Folder(world, root), keeper, diceOf(1), { start: end - days * DAY_MS, days })
	let told
	try {
		for (let i = 0; i < 8; i++) await world.addContact({ pn: String(919810000000 + i), lid: String(100000000000000 + i), devices: [0] })
		const group = world.addGroup('120363400000000001@g.us', world.contacts)
		told = await happens({ world, life, group, keeper, day, isStraight: values.straight })
	} finally {
		keeper.end()
		rmSync(root, { recursive: true, force: true })
	}
	process.stdout.write(JSON.stringify(told) + '\n', () => process.exit(0))
}
