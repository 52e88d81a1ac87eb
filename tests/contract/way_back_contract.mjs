/**
 * A folder that was reset comes back from a snapshot, its bot goes on for days, and the reset is undone: told with the real
 * client.
 *
 *     node way_back_contract.mjs --baileys baileys7 [--straight] -- KEEPER [ARGUMENT...]
 *
 * KEEPER as for lives_contract.mjs. `--straight`: nothing is said between the reset and its undo. One JSON document goes to
 * stdout: `late`, what the undo states, `failed`, what was not read at the first try of what everybody writes then, and `lost`.
 */

import { tellShortLife } from './short_life.mjs'

await tellShortLife('way-back', 8, async ({ world, life, group, keeper, day, isStraight }) => {
	const { folder } = life
	const ask = async (question, after) => {
		folder.write()
		const answer = await keeper.ask({ ...question, now: life.now })
		if (after) folder.load(), world.bot.start()
		return answer
	}
	const [early, late] = [world.contacts.slice(0, 6), world.contacts.slice(2)]
	const say = async contacts => {
		for (const contact of contacts) {
			await life.contactWrites(contact.clients[0])
			await life.botWrites(contact)
			await life.memberWrites(contact.clients[0], group)
		}
		await life.botSends(group)
	}
	await say(early)
	day(1)
	await say(early)
	day(2)
	await ask({ do: 'backup' })
	day(2.1)
	const { run } = await ask({ do: 'reset' })
	const strangers = []
	if (!isStraight) {
		day(2.2)
		await ask({ do: 'restore', mode: 'rollback' }, true)
		for (const at of [3, 4, 5]) {
			day(at)
			await say(late)
			for (let i = 0; i < 16; i++) await life.strangerTakes().then(one => (at === 5 ? strangers.push(one) : life.strangerWrites(one)))
		}
	}
	day(6)
	const { exit_code, why, late: stated } = await ask({ do: 'undo', run }, true)
	if (exit_code) throw new Error(why)
	life.report = { ...life.report, attempts: 0, failures: 0, unstated: [], lost: [], by_kind: {} }
	await say(world.contacts)
	for (const one of strangers) await life.strangerWrites(one)
	const { unstated, lost, attempts, by_kind } = life.report
	const failed = Object.fromEntries(Object.entries(by_kind).map(([kind, { failures }]) => [kind, failures]))
	return { late: stated, attempts, failed, of_the_bot: unstated.filter(what => what.includes('unread of the bot')), lost }
})
