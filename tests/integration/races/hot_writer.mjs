// A bot that never rests: rewrites creds.json and every other .json file of FOLDER, over and over, as Baileys does
// (Utils/use-multi-file-auth-state.js writeData: open with O_TRUNC, write, close), until its standard input ends.
//
//   node hot_writer.mjs FOLDER
//
// What it writes says of itself whether it is whole: `length` is the length of `padding`, which comes last.

import { readFileSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const folder = process.argv[2]
const creds = JSON.parse(readFileSync(join(folder, 'creds.json'), 'utf8'))
let running = true
let writes = 0
process.stdin.on('end', () => { running = false })
process.stdin.resume()

const content = (name, number) => {
	const length = 200 + (number * 37) % 1800
	const own = { number, length, padding: 'k'.repeat(length) }
	return JSON.stringify(name === 'creds.json' ? { ...creds, nextPreKeyId: number + 31, ...own } : own)
}

const keepWriting = async (name, rest) => {
	for (let number = 1; running; number++) {
		await writeFile(join(folder, name), content(name, number))
		writes++
		await sleep(rest)
	}
}

process.stdout.write('writing\n')
// creds as in a tight loop of saves; keys with a breath in between, or no reader would ever find all of them whole.
await Promise.all(readdirSync(folder).filter(name => name.endsWith('.json')).map(name => keepWriting(name, name === 'creds.json' ? 0 : 2)))
process.stdout.write(`${writes}\n`)
