/**
 * A host is lost, and its bots write from the next one.
 *
 *     node lost_host_contract.mjs --baileys baileys7 --tool COMMAND --companies N
 *
 * A bot lives a short life; its folder stands N times, each a company of its own. COMMAND backs them up, with a copy
 * elsewhere. Then sessions, repository and state are gone, and two commands bring them back: `backup --import` and
 * `restore --all`. Baileys loads each folder, and the bot writes first, to each contact and each group. A JSON document
 * for each company goes to stdout, one a line, and one for the commands before them.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { runCommand } from './folders.mjs'

const HOUR_MS = 60 * 60 * 1000
const LIFE = { paired: 6, contacts: 2, perGroup: 2 }

async function firstMessages(world, folder) {
	const { state } = await world.baileys.useMultiFileAuthState(folder)
	if (!state.creds.me?.id) return { dead: true }
	const its = world.fork(state)
	const errors = []
	let written = 0
	const write = async how => {
		for (const error of (await how()).values()) {
			written++
			if (error) errors.push(String(error))
		}
	}
	for (const contact of its.contacts) await write(() => its.botWrites(contact))
	for (const group of its.groups) await write(() => its.botWritesToGroup(group))
	return { written, errors }
}

async function main() {
	const text = { type: 'string' }
	const { values } = parseArgs({ options: { baileys: text, tool: text, companies: text } })
	const baileys = await loadBaileys(values.baileys)
	const world = await live(baileys, { end: Date.now() - 3 * HOUR_MS, ...LIFE })
	const scratch = await mkdtemp(join(tmpdir(), 'lost-host-'))
	const sessions = join(scratch, 'sessions')
	const names = Array.from({ length: Number(values.companies) }, (_, n) => String(1001 + n))
	process.env.BAILEYS_TOOLS_BACKUP_PATH = join(scratch, 'backups')
	process.env.BAILEYS_TOOLS_BACKUP__COPIES = `file://${scratch}/elsewhere`
	try {
		for (const name of names) await world.writeFolder(join(sessions, `company_${name}`))
		const kept = await runCommand([values.tool, 'backup', '--json'], sessions)
		for (const gone of ['sessions', 'backups']) await rm(join(scratch, gone), { recursive: true })
		await rm(process.env.BAILEYS_TOOLS_STATE_DIR, { recursive: true, force: true })
		delete process.env.BAILEYS_TOOLS_BACKUP__COPIES
		await world.writeFolder(join(sessions, 'company_999'))
		const fetched = await runCommand([values.tool, 'backup', '--import', `file://${scratch}/elsewhere`, '--json'], sessions)
		const restored = await runCommand([values.tool, 'restore', '--all', '--yes', '--json'], sessions)
		process.stdout.write(JSON.stringify({ kept, fetched, restored }) + '\n')
		for (const name of names) {
			const result = await firstMessages(world, join(sessions, `company_${name}`))
			process.stdout.write(JSON.stringify({ company: name, ...result }) + '\n')
		}
	} finally {
		await rm(scratch, { recursive: true, force: true })
	}
}

await main()
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write('', () => process.exit(0))
