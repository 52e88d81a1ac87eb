// What an operator would write to see which files could go: list each folder, stat each file, look at name and age.
//
//   node scan.mjs ROOT

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const DAY_MS = 24 * 3600 * 1000
const now = Date.now()
const root = process.argv[2]
const counts = {}
let removable = 0

// Longest prefix first: sender-key- also begins sender-key-memory-.
const kinds = ['sender-key-memory', 'sender-key', 'session', 'pre-key', 'app-state-sync-version', 'app-state-sync-key',
	'lid-mapping', 'identity-key', 'device-list', 'tctoken']
const maxAgeDays = { session: 14, 'sender-key': 3, 'sender-key-memory': 3 }

for (const company of readdirSync(root)) {
	const folder = join(root, company)
	const preKeyIds = []
	for (const name of readdirSync(folder)) {
		const status = statSync(join(folder, name))
		if (!status.isFile()) continue
		const kind = kinds.find(prefix => name.startsWith(prefix + '-')) ?? 'other'
		counts[kind] = (counts[kind] ?? 0) + 1
		if (kind === 'pre-key') preKeyIds.push(Number(name.slice(8, -5)))
		else if ((now - status.mtimeMs) / DAY_MS > (maxAgeDays[kind] ?? Infinity)) removable++
	}
	removable += Math.max(0, preKeyIds.length - 50)
}
console.log(JSON.stringify({ counts, removable }))
