/**
 * What becomes of sessions by phone number, measured with the real client.
 *
 *     node numbers_contract.mjs --baileys baileys7 --story undone|unmapped --tool COMMAND
 *
 * Contacts from before the bot was updated from Baileys 6 have sessions by phone number, and fall silent. A cleanup
 * removes old ones.
 *
 * - `undone`: then each of these contacts writes and is written to, with Baileys 7 by LID, and the cleanup is undone.
 * - `unmapped`: nobody has told the bot their LIDs, and the contacts write by number.
 *
 * Then Baileys loads the folder anew, each contact writes once, and is written to. One JSON document goes to stdout,
 * with the failures by the number of the contact.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { COMPANY, runCommand } from './folders.mjs'

const LIFE = { paired: 60, contacts: 3, perGroup: 2, legacy: 8 }

/** The world on the bot's folder, as a bot that starts. */
async function started(world, folder) {
	const { state } = await world.baileys.useMultiFileAuthState(folder)
	return world.fork(state)
}

/** Socket/messages-send.js getUSyncDevices, as a bot asks that sends to phone numbers. */
async function askForDevices({ bot }, contact) {
	await bot.keys.set({ 'device-list': { [contact.pn]: ['0'] } })
}

async function talk(world, contacts) {
	const failed = {}
	for (const contact of contacts) {
		if (world.baileys.hasLids) await askForDevices(world, contact)
		const errors = [await world.contactWrites(contact.clients[0])]
		const outcomes = await world.botWrites(contact)
		errors.push(outcomes.get(contact.clients[0]))
		if (errors.some(Boolean)) failed[contact.pn] = errors.filter(Boolean)
	}
	return failed
}

async function main() {
	const text = { type: 'string' }
	const { values } = parseArgs({ options: { baileys: text, story: text, tool: text } })
	const baileys = await loadBaileys(values.baileys)
	const world = await live(baileys, { end: Date.now(), unmapped: values.story === 'unmapped', ...LIFE })
	const numbers = world.contacts.slice(LIFE.contacts).map(contact => contact.pn)
	const root = await mkdtemp(join(tmpdir(), 'numbers-contract-'))
	try {
		const folder = join(root, COMPANY)
		await world.writeFolder(folder)
		const before = new Set(await readdir(folder))
		const cleaned = await runCommand([values.tool, 'cleanup', '--json'], root)
		const left = new Set(await readdir(folder))
		const removed = numbers.filter(pn => before.has(`session-${pn}.0.json`) && !left.has(`session-${pn}.0.json`))
		let now = await started(world, folder)
		const concerned = ({ contacts }) => contacts.filter(({ pn }) => removed.includes(pn))
		const report = { removed, cleanup: cleaned.output }
		if (values.story === 'unmapped') {
			// The first try alone: what is healed by it no resend has to heal.
			const failed = {}
			for (const contact of concerned(now)) {
				const error = await now.contactWrites(contact.clients[0])
				if (error) failed[contact.pn] = [error]
			}
			return { ...report, failed }
		}
		for (const contact of concerned(now)) {
			// As after the resend: the sender has a new session.
			await contact.clients[0].fetchSession(now.bot.jid)
		}
		report.meanwhile = await talk(now, concerned(now))
		report.undo = (await runCommand([values.tool, 'undo', '--json'], root)).output
		report.folder = await readdir(folder)
		now = await started(now, folder)
		return { ...report, failed: await talk(now, concerned(now)) }
	} finally {
		await rm(root, { recursive: true, force: true })
	}
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
