// A bot's side of the race with a cleanup: rewrites session files as Baileys does while a remover runs pass after
// pass over the same folder, and counts the writes that got lost.
//
//   node writer.mjs --folder FOLDER [--removals 2000] [--files 96] [--seconds 300] -- REMOVER ARG...
//
// Each file goes round for ever: made old (free to be removed), left for a moment, used by the bot (fresh again,
// must survive), left for a moment, checked. A write is LOST when it completed on a file that nobody made old since,
// and the live path no longer holds it: the remover took content younger than its policy allows. A copy in quarantine
// does not help, the bot reads the live path.
//
// Prints one JSON line: passes, removals (old files found gone), writes (uses), lost, lost_to_quarantine, flickers
// (a write that was out of sight for a moment and came back), remover_exit (of the last pass; the race ends when it is
// not 0), finished (false: no time left).

import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { lstat, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values: options, positionals: remover } = parseArgs({
	allowPositionals: true,
	options: {
		folder: { type: 'string' },
		removals: { type: 'string', default: '2000' },
		files: { type: 'string', default: '96' },
		seconds: { type: 'string', default: '300' }
	}
})
const wanted = Number(options.removals)
const deadline = Date.now() + Number(options.seconds) * 1000

const OLD_SECONDS = 30 * 24 * 3600
const OLD_MS = 18
const FRESH_MS = 12
const LONG_MOMENT_MS = 250
const FLICKER_MS = 500
// About the size of a session with one contact.
const RATCHET = 'k'.repeat(1500)

const tally = { passes: 0, removals: 0, writes: 0, lost: 0, lost_to_quarantine: 0, flickers: 0, remover_exit: 0, finished: false }
let running = true

// Utils/use-multi-file-auth-state.js writeData, the same in 6.7 and 7.0: open with O_TRUNC, write, close; no temp file.
// Its mutex per path is the one loop per path below.
const baileysWrite = (path, sequence) => writeFile(path, JSON.stringify({ sequence, ratchet: RATCHET }))

const holds = async (path, sequence) => {
	try {
		return JSON.parse(await readFile(path, 'utf8')).sequence === sequence
	} catch (error) {
		if (error.code === 'ENOENT' || error instanceof SyntaxError) return false
		throw error
	}
}

const exists = path => lstat(path).then(() => true, error => {
	if (error.code === 'ENOENT') return false
	throw error
})

// Mostly shorter than a pass, sometimes longer than several.
const aMoment = most => sleep(Math.random() < 0.03 ? LONG_MOMENT_MS : Math.random() * most)

async function makeOld(path, sequence) {
	await baileysWrite(path, sequence)
	const then = Date.now() / 1000 - OLD_SECONDS
	await utimes(path, then, then).catch(error => {
		if (error.code !== 'ENOENT') throw error
	})
}

async function checkSurvived(path, sequence) {
	if (await holds(path, sequence)) return
	for (let waited = 0; waited < FLICKER_MS; waited += 10) {
		await sleep(10)
		if (await holds(path, sequence)) {
			tally.flickers++
			return
		}
	}
	tally.lost++
	if (quarantined(path, sequence)) tally.lost_to_quarantine++
}

function quarantined(path, sequence) {
	const quarantine = join(options.folder, '.baileys-tools')
	const name = path.slice(options.folder.length + 1)
	try {
		return readdirSync(quarantine, { recursive: true })
			.filter(found => found.endsWith(name))
			.some(found => readFileSync(join(quarantine, found), 'utf8').includes(`"sequence":${sequence},`))
	} catch (error) {
		if (error.code === 'ENOENT') return false
		throw error
	}
}

async function liveOneFile(path) {
	for (let sequence = 1; running; sequence += 2) {
		await makeOld(path, sequence)
		await aMoment(OLD_MS)
		if (!(await exists(path))) tally.removals++
		await baileysWrite(path, sequence + 1)
		tally.writes++
		await aMoment(FRESH_MS)
		await checkSurvived(path, sequence + 1)
	}
}

const onePass = () => new Promise((resolve, reject) => {
	const [command, ...words] = remover
	const child = spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'] })
	child.on('error', reject)
	child.on('exit', (code, signal) => resolve(code ?? signal))
})

async function removePassAfterPass() {
	try {
		while (tally.removals < wanted && Date.now() < deadline) {
			tally.remover_exit = await onePass()
			if (tally.remover_exit !== 0) return
			tally.passes++
		}
		tally.finished = tally.removals >= wanted
	} finally {
		running = false
	}
}

const paths = Array.from({ length: Number(options.files) }, (_, index) => join(options.folder, `session-${491700000000 + index}.0.json`))
await Promise.all([removePassAfterPass(), ...paths.map(liveOneFile)])
console.log(JSON.stringify(tally))
