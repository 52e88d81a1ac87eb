/**
 * Whether a client can use its pre-keys and its sender-keys in the forms in which scripts write them.
 *
 *     node written_keys.mjs baileys6|baileys7
 *
 * Prints, by form and type, what one file has then, and what the bot says of a new chat and of a group: null where all
 * is read and sent. Each form stands alone in a session that works.
 */

import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { World } from '../../fixtures/generate/world.mjs'

const base64 = bytes => ({ type: 'Buffer', data: bytes.toString('base64') })
const FORMS = {
	base64,
	'a list as data': bytes => ({ type: 'Buffer', data: [...bytes] }),
	value: bytes => ({ type: 'Buffer', value: bytes.toString('base64') }),
	buffer: bytes => ({ buffer: true, data: bytes.toString('base64') }),
	'numbers by index': bytes => ({ ...bytes }),
	'numbers by index, as data': bytes => ({ type: 'Buffer', data: { ...bytes } }),
	'a list': bytes => [...bytes],
	'a text': bytes => bytes.toString('base64'),
	// Of sender-keys: as the versions up to 6.7.18 wrote them, and the JSON that is in the bytes.
	states: bytes => (bytes.length > 99 ? JSON.parse(bytes) : base64(bytes)),
	'states as text': bytes => (bytes.length > 99 ? bytes.toString() : base64(bytes))
}

const baileys = await loadBaileys(process.argv[2])
const world = await World.pair(baileys, { pn: '919420739001', lid: '218684004005041' })
const { clients: [member] } = await world.addContact({ pn: '919810000000', lid: '100000000000000' })
const group = world.addGroup('120363400000000001@g.us', world.contacts)

const ASKED = {
	'pre-key': async () => world.contactWrites(await world.addStranger()),
	'sender-key': async () => {
		const read = [await world.memberWritesToGroup(member, group)]
		// What a member does that is asked to send its key again.
		await member.keys.set({ 'sender-key-memory': { [group.jid]: null } })
		read.push(await world.memberWritesToGroup(member, group), await world.memberWritesToGroup(member, group))
		return [...read, ...(await world.botWritesToGroup(group)).values()].find(Boolean)
	}
}

/** Both have a key of the other for the group, made anew: what a form has spoilt does not outlive it. */
async function exchangeKeys() {
	for (const client of [world.bot, member]) {
		for (const [key, { type }] of client.store.entries) if (type.startsWith('sender-key')) client.store.entries.delete(key)
		client.start()
	}
	await world.memberWritesToGroup(member, group)
	await world.botWritesToGroup(group)
}

/** What comes of it when the values of a type stand in a form. */
async function inForm(type, form) {
	await exchangeKeys()
	const entries = [...world.bot.store.entries.values()].filter(entry => entry.type === type)
	const before = entries.map(({ text }) => text)
	for (const entry of entries) {
		const value = JSON.parse(entry.text)
		const pair = ([name, half]) => [name, FORMS[form](Buffer.from(half.data, 'base64'))]
		const written = type === 'pre-key' ? Object.fromEntries(Object.entries(value).map(pair)) : pair(['', value])[1]
		entry.text = JSON.stringify(written)
	}
	const { text } = entries[0]
	world.bot.start()
	const said = await ASKED[type]().catch(error => error.message)
	entries.forEach((entry, n) => (entry.text = before[n]))
	return { text, said: said ?? null }
}

const told = {}
for (const type of Object.keys(ASKED)) {
	for (const form of Object.keys(FORMS)) (told[form] ??= {})[type] = await inForm(type, form)
}
process.stdout.write(JSON.stringify(told) + '\n', () => process.exit(0))
