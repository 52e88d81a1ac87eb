/** What the contracts share: names of the bot's files, and commands run on its folder. */

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

export const COMPANY = 'company_1'
export const DAY_MS = 24 * 60 * 60 * 1000

export function sessionFile({ bot }, client) {
	return `session-${bot.repository.jidToSignalProtocolAddress(client.jid)}.json`
}

export function senderKeyFile(world, group, client) {
	const address = world.bot.repository.jidToSignalProtocolAddress(world.addressOf(client, group.mode))
	return `sender-key-${group.jid}--${address.replace('.', '--')}.json`
}

/** A send to a group: what came of it by client, who got the bot's key with it, and for whom it fetched a bundle. */
export async function watchedSend(world, group) {
	const { bot } = world
	const { encryptedNode, fetchSession } = bot
	const keyed = []
	const fetched = []
	bot.encryptedNode = (jid, ...words) => (keyed.push(jid), encryptedNode.call(bot, jid, ...words))
	bot.fetchSession = jid => (fetched.push(jid), fetchSession.call(bot, jid))
	try {
		return { keyed, fetched, outcomes: await world.botWritesToGroup(group) }
	} finally {
		Object.assign(bot, { encryptedNode, fetchSession })
	}
}

export async function runCommand([program, ...words], root) {
	const child = spawn(program, words, {
		env: { ...process.env, BAILEYS_SESSIONS_PATH: root },
		stdio: ['ignore', 'pipe', 'pipe']
	})
	const exited = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
	const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
	return { exit_code: await exited, output, errors }
}

/** Copy what is in a folder into another with its times, by the system's own program: Node's takes ten times as long. */
export function copyFolder(from, to) {
	mkdirSync(to, { recursive: true })
	execFileSync('cp', ['-a', `${from}/.`, to])
}

export function removeFolder(folder) {
	rmSync(folder, { recursive: true, force: true })
}

export async function agesInDays(folder, now) {
	const ages = {}
	for (const name of await readdir(folder)) ages[name] = (now - (await stat(join(folder, name))).mtimeMs) / DAY_MS
	return ages
}

export function splitAt(separator, words) {
	const parts = [[]]
	for (const word of words) word === separator ? parts.push([]) : parts.at(-1).push(word)
	return parts
}
