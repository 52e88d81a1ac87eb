/**
 * What a cleanup costs, measured with the real client.
 *
 *     node cleanup_contract.mjs --baileys baileys7 --life fresh [--order random] [--every N] -- COMMAND [ARGUMENT...] [-- COMMAND...]
 *
 * `baileys7-next` keeps its files as the next version does. `--every N`: strangers try each
 * Nth of the pre-keys only, as each takes its time.
 *
 * A bot lives a life with Baileys' own code, and its folder is written and aged. Then each command runs on a
 * copy, with the sessions root in BAILEYS_SESSIONS_PATH, while contacts, groups and server remember everything
 * as it was. Then Baileys loads the folder again, and everybody writes to everybody once:
 *
 * - `bot_to_contact`, `bot_to_group`: can each device read the bot; which get its key (`keyed`, by group), and of which the server is
 *   asked for a bundle first (`fetched`)
 * - `contact_to_bot`: can the bot read each device that writes first
 * - `member_to_group`: can the bot read each member of each group
 * - `new_chats`: can the bot read strangers who write with each pre-key that the server still offers, or that
 *   it gave them lately
 *
 * Every direction starts from the same state, on its own copy of folder and peers. The same is measured on the
 * untouched folder: what fails there already is no cost of the cleanup. Failures are named by the
 * file of the bot that the message depends on. One JSON document goes to stdout.
 */

import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { live } from '../../fixtures/generate/life.mjs'
import { agesInDays, COMPANY, copyFolder, removeFolder, runCommand, senderKeyFile, sessionFile, splitAt, watchedSend } from './folders.mjs'

const LIVES = {
	small: { paired: 60, contacts: 14, perGroup: 3, waiting: 2 },
	fresh: { paired: 60, contacts: 20, perGroup: 5, waiting: 5 },
	long: { paired: 120, contacts: 18, perGroup: 5, handOuts: 600, waiting: 2 },
	updated: { paired: 120, contacts: 16, perGroup: 5, legacy: 10, movedGroup: true, waiting: 2 }
}
const RECEIPTS = 2

/**
 * Direction -> function(world, tally). Each tries every pair once and tells tally(file, error, sender, resend):
 * the file of the bot that the message depends on, what went wrong, and how the sender sends it again.
 */
const DIRECTIONS = {
	async bot_to_contact(world, tally) {
		for (const contact of world.contacts) {
			for (const [client, error] of await world.botWrites(contact)) await tally(sessionFile(world, client), error)
		}
	},

	async contact_to_bot(world, tally) {
		for (const client of [world.phone, ...world.contacts.flatMap(contact => contact.clients)]) {
			const error = await world.contactWrites(client)
			await tally(sessionFile(world, client), error, client, () => world.chatFrom(client))
		}
	},

	async bot_to_group(world, tally) {
		for (const group of world.groups) {
			const { keyed, fetched, outcomes } = await watchedSend(world, group)
			tally.result.keyed.push(...keyed.map(jid => [group.jid, jid]))
			tally.result.fetched.push(...fetched)
			for (const [client, error] of outcomes) {
				await tally(senderKeyFile(world, group, client), error)
			}
		}
	},

	async member_to_group(world, tally) {
		for (const group of world.groups) {
			for (const client of group.members) {
				const error = await world.memberWritesToGroup(client, group)
				await tally(senderKeyFile(world, group, client), error, client, async () => {
					// Who is asked again sends the sender key along.
					await client.keys.set({ 'sender-key-memory': { [group.jid]: null } })
					return world.groupMessageFrom(client, group)
				})
			}
		}
	},

	async new_chats(world, tally) {
		for (const client of world.waiting) {
			await tally(`pre-key-${client.preKeyId}.json`, await world.contactWrites(client))
		}
		const stranger = await world.addStranger()
		const offered = world.server.account(world.bot.jid).offered.splice(0)
		for (const preKey of offered.filter((_, n) => n % world.tryEvery === 0)) {
			await world.takePreKey(stranger, preKey)
			await tally(`pre-key-${stranger.preKeyId}.json`, await world.contactWrites(stranger))
			await world.forget(stranger)
		}
	}
}

/** Measure all directions on `folder`, each on a copy of its own. */
async function measure(world, folder, scratch) {
	const results = {}
	for (const [direction, run] of Object.entries(DIRECTIONS)) {
		const copy = join(scratch, direction)
		copyFolder(folder, copy)
		const { state } = await world.baileys.useMultiFileAuthState(copy)
		results[direction] = await tallied(world.fork(state), run)
		removeFolder(copy)
	}
	return results
}

async function tallied(world, run) {
	const result = { attempts: 0, first_try_failures: 0, healed_by_resend: {}, failed: {}, keyed: [], fetched: [] }
	const tally = async (file, error, sender, resend) => {
		result.attempts++
		if (!error) return
		result.first_try_failures++
		result.failed[file] = error
		if (!resend) return
		const receipt = await resendUntilRead(world, sender, resend)
		result.healed_by_resend[receipt] = (result.healed_by_resend[receipt] ?? 0) + 1
	}
	tally.result = result
	await run(world, tally)
	return result
}

/**
 * Socket/messages-recv.js: the bot asks again, first for a message with a pre-key from the server, then with a
 * pre-key of its own in the receipt. Returns the number of the receipt that helped, or 'never'.
 */
async function resendUntilRead(world, sender, resend) {
	for (let receipt = 1; receipt <= RECEIPTS; receipt++) {
		if (receipt === 1) await sender.fetchSession(world.bot.jid)
		else await world.baileys.parseAndInjectE2ESessions(await world.bot.retryReceiptBundle(), sender.repository)
		if (!(await world.bot.receive(await resend()))) return receipt
	}
	return 'never'
}

async function main() {
	const options = { baileys: { type: 'string' }, life: { type: 'string' }, order: { type: 'string', default: 'fifo' }, every: { type: 'string', default: '1' } }
	const { values, positionals } = parseArgs({ options, allowPositionals: true })
	const commands = splitAt('--', positionals).filter(words => words.length)
	const now = Date.now()
	const world = await live(await loadBaileys(values.baileys), { end: now, order: values.order, ...LIVES[values.life] })

	world.tryEvery = Number(values.every)
	const scratch = await mkdtemp(join(tmpdir(), 'cleanup-contract-'))
	try {
		const original = join(scratch, 'original')
		await world.writeFolder(join(original, COMPANY))
		const report = {
			...values,
			age_days: await agesInDays(join(original, COMPANY), now),
			untouched: await measure(world, join(original, COMPANY), scratch),
			runs: []
		}
		for (const command of commands) report.runs.push(await runOnCopy(world, command, original, scratch))
		return report
	} finally {
		removeFolder(scratch)
	}
}

async function runOnCopy(world, command, original, scratch) {
	const root = join(scratch, 'sessions')
	const folder = join(root, COMPANY)
	copyFolder(original, root)
	const ran = await runCommand(command, root)
	const left = new Set(await readdir(folder))
	const removed = (await readdir(join(original, COMPANY))).filter(name => !left.has(name))
	const cleaned = await measure(world, folder, scratch)
	removeFolder(root)
	return { command, ...ran, removed, cleaned }
}

const report = JSON.stringify(await main())
// Baileys' caches keep timers for days, so the process must be ended, once all is written.
process.stdout.write(report + '\n', () => process.exit(0))
