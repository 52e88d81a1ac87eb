/**
 * A cleanup takes the memory of a group, later the bot's own key is lost with nothing written since, and the cleanup is undone: told with the real client.
 *
 *     node lost_key_contract.mjs --baileys baileys7 [--straight] -- KEEPER [ARGUMENT...]
 *
 * KEEPER as for lives_contract.mjs. `--straight`: nothing is lost, and the undo comes straight after the cleanup. One JSON
 * document goes to stdout: `taken` and `back`, the files that the cleanup took and the undo brought, and `unread`, what
 * nobody could read of the bot's next message to its group.
 */

import { mkdtempSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { stopClock } from '../../fixtures/generate/clock.mjs'
import { World } from '../../fixtures/generate/world.mjs'
import { DAY_MS } from './folders.mjs'
import { diceOf, Folder, Keeper, Life } from './lived.mjs'

const DAYS = 6
const OWN_KEY = /^sender-key-1.*--(919420739001|218684004005041_1)--17\.json$/

async function main() {
	const options = { baileys: { type: 'string' }, straight: { type: 'boolean' } }
	const split = process.argv.indexOf('--', 2)
	const { values } = parseArgs({ options, args: process.argv.slice(2, split) })
	const end = Date.now()
	const day = at => stopClock(end, DAYS - at)
	const root = mkdtempSync(join(tmpdir(), 'lost-key-'))
	day(0)
	const world = await World.pair(await loadBaileys(values.baileys), { pn: '919420739001', lid: '218684004005041', order: 'fifo' })
	const keeper = new Keeper(process.argv.slice(split + 1), root)
	const life = new Life(world, new Folder(world, root), keeper, diceOf(1), { start: end - DAYS * DAY_MS, days: DAYS })
	const { folder } = life
	try {
		for (let i = 0; i < 8; i++) await world.addContact({ pn: String(919810000000 + i), lid: String(100000000000000 + i), devices: [0] })
		const group = world.addGroup('120363400000000001@g.us', world.contacts)
		await life.botSends(group)
		// Somebody writes twice a day: what was not used while a bot was off is no older for it.
		for (const [n, { clients }] of world.contacts.entries()) {
			day((n + 1) / 2)
			await life.contactWrites(clients[0])
		}
		await life.cleanup()
		const taken = [...folder.known.keys()].filter(name => !folder.written.has(name))
		if (!values.straight) {
			for (const name of folder.written.keys()) if (OWN_KEY.test(name)) unlinkSync(join(folder.path, name))
			folder.load()
			world.bot.start()
			day(4.6)
		}
		await life.undo()
		const back = taken.filter(name => folder.written.has(name))
		await life.botSends(group)
		const { unstated, lost } = life.report
		return { taken, back, unread: [...unstated, ...lost] }
	} finally {
		keeper.end()
		rmSync(root, { recursive: true, force: true })
	}
}

const report = JSON.stringify(await main())
process.stdout.write(report + '\n', () => process.exit(0))
