/**
 * Who writes when in the lives that rules.py compares: one seed is one life, whatever cleans it.
 *
 *     node agenda.mjs 60 1 2 3     the agendas of three lives of sixty days, a line each
 *
 * 24 contacts, a quarter of them with a second device, and five groups of three in four of them. Some write every other
 * day, some every few weeks; the bot answers, and sends to its groups.
 */

import { fileURLToPath } from 'node:url'
import { diceOf, momentsOf } from '../tests/contract/lived.mjs'

const CONTACTS = 24
const GROUPS = ['120363400000000001', '120363400000000002', '120363400000000003', '120363400000000004', '120363400000000005']
const MEMBERS_WRITE_EVERY = [2, 2.5, 15, 30, 60]
const CONTACTS_WRITE_EVERY = [1, 2, 3]
const BOT_SENDS_EVERY = [4, 7]
const AWAY = { chance: 0.04, days: [6, 25] }

/**
 * `contacts` with their devices, `groups` with which contacts are in them, and `moments`, the earliest first: on which
 * day who `does` what. A member is one of a group's devices in order, after number 0, the account's phone.
 */
export function agendaOf(seed, days) {
	const dice = diceOf(seed)
	const contacts = []
	const groups = []
	const moments = []
	for (let i = 0; i < CONTACTS; i++) {
		const contact = {
			pn: String(919810000000 + i * 7919),
			lid: String(100000000000000 + i * 7777777777),
			devices: i % 4 === 1 ? [0, 12] : [0]
		}
		contacts.push(contact)
		for (const day of momentsOf(dice, days, dice.pick(CONTACTS_WRITE_EVERY), AWAY)) {
			moments.push({ day, does: 'contactWrites', contact: i, device: dice.pick([...contact.devices.keys()]) })
			if (dice.roll() < 0.5) moments.push({ day: day + 0.01, does: 'botWrites', contact: i })
		}
	}
	for (const [group, id] of GROUPS.entries()) {
		const members = [...contacts.keys()].filter(() => dice.roll() < 0.75)
		groups.push({ id, members })
		const devices = 1 + members.reduce((sum, i) => sum + contacts[i].devices.length, 0)
		for (let member = 0; member < devices; member++) {
			for (const day of momentsOf(dice, days, dice.pick(MEMBERS_WRITE_EVERY), AWAY)) moments.push({ day, does: 'memberWrites', group, member })
		}
		for (const day of momentsOf(dice, days, dice.pick(BOT_SENDS_EVERY), AWAY)) moments.push({ day, does: 'botSends', group })
	}
	return { seed, contacts, groups, moments: moments.sort((a, b) => a.day - b.day) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [days, ...seeds] = process.argv.slice(2).map(Number)
	for (const seed of seeds) process.stdout.write(JSON.stringify(agendaOf(seed, days)) + '\n')
}
