/**
 * A cleanup takes the memory of a group, later the bot's own key is lost with nothing written since, and the cleanup is undone: told with the real client.
 *
 *     node lost_key_contract.mjs --baileys baileys7 [--straight] -- KEEPER [ARGUMENT...]
 *
 * KEEPER as for lives_contract.mjs. `--straight`: nothing is lost, and the undo comes straight after the cleanup. One JSON
 * document goes to stdout: `taken` and `back`, the files that the cleanup took and the undo brought, and `unread`, what
 * nobody could read of the bot's next message to its group.
 */

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { tellShortLife } from './short_life.mjs'

const OWN_KEY = /^sender-key-1.*--(919420739001|218684004005041_1)--17\.json$/

await tellShortLife('lost-key', 6, async ({ world, life, group, day, isStraight }) => {
	const { folder } = life
	await life.botSends(group)
	// Somebody writes twice a day: what was not used while a bot was off is no older for it.
	for (const [n, { clients }] of world.contacts.entries()) {
		day((n + 1) / 2)
		await life.contactWrites(clients[0])
	}
	await life.cleanup()
	const taken = [...folder.known.keys()].filter(name => !folder.written.has(name))
	if (!isStraight) {
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
})
