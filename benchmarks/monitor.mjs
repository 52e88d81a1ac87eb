// What an operator would write to watch session folders: list each, stat each file, classify, compare with thresholds.
//
//   node monitor.mjs ROOT

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = process.argv[2]
const thresholds = [[186, 'danger'], [180, 'emergency'], [175, 'trigger'], [170, 'critical'], [150, 'warning'], [0, 'healthy']]

// Longest prefix first: sender-key- also begins sender-key-memory-.
const kinds = ['sender-key-memory', 'sender-key', 'session', 'pre-key', 'app-state-sync-version', 'app-state-sync-key',
	'lid-mapping', 'identity-key', 'device-list', 'tctoken']

for (const company of readdirSync(root)) {
	const folder = join(root, company)
	const counts = {}
	let files = 0, size = 0, newest = 0
	for (const name of readdirSync(folder)) {
		const status = statSync(join(folder, name))
		if (!status.isFile()) continue
		const kind = kinds.find(prefix => name.startsWith(prefix + '-')) ?? 'other'
		counts[kind] = (counts[kind] ?? 0) + 1
		files++
		size += status.size
		newest = Math.max(newest, status.mtimeMs)
	}
	const level = thresholds.find(([limit]) => files >= limit)[1]
	if (level !== 'healthy') console.log(`${company}: ${files} files, level ${level}, ${size} bytes, ${JSON.stringify(counts)}, ${newest}`)
}
