/**
 * A client that writes through its own auth state without a pause, and says how long each write took.
 *
 *     node hot_client.mjs --baileys baileys6 --preset fazer --address redis://...
 *
 * It keeps what it wrote last in memory, as a bot does. In each round: a session is written anew; now and then a
 * batch of pre-keys above all before is made and the counters saved, so that a cleanup always finds some to remove. At the end
 * everything is read back: what it wrote last and is neither as written nor an older pre-key is a lost write. A line
 * `ready` is printed once the session stands; it writes until it is told to stop by a line, and prints one JSON document.
 */

import { parseArgs } from 'node:util'
import { loadBaileys } from '../../fixtures/generate/client.mjs'
import { CLIENTS } from './store_clients.mjs'

const TENANT = '1'
const SESSIONS = 40
const BATCH = 30
const EVERY = 25

const word = { type: 'string' }
const { values } = parseArgs({ options: { baileys: word, preset: word, address: word } })
const baileys = await loadBaileys(values.baileys)
const client = await CLIENTS[values.preset](baileys, values.address)
const { state, saveCreds } = await client.open(TENANT)
const { creds, keys } = state
const written = new Map()
const took = []
let errors = 0
let made = 0

async function write(type, entries) {
	const began = process.hrtime.bigint()
	try {
		await keys.set({ [type]: entries })
	} catch {
		errors++
		return
	}
	took.push(Number(process.hrtime.bigint() - began) / 1e6)
	for (const [id, value] of Object.entries(entries)) written.set(`${type}|${id}`, value)
}

const pair = n => ({ private: Buffer.alloc(32, n), public: Buffer.alloc(32, n + 1) })

async function morePreKeys() {
	const first = creds.nextPreKeyId
	await write('pre-key', Object.fromEntries(Array.from({ length: BATCH }, (_, n) => [first + n, pair(first + n)])))
	creds.nextPreKeyId = creds.firstUnuploadedPreKeyId = first + BATCH
	made += BATCH
	await saveCreds()
}

const account = { details: 'AA==', accountSignatureKey: 'AA==', accountSignature: 'AA==', deviceSignature: 'AA==' }
Object.assign(creds, { account, me: { id: '919420739001:17@s.whatsapp.net', lid: '218684004005041:17@lid', name: 'Shop' }, registered: true })
await saveCreds()
for (let n = 0; n < SESSIONS; n++) await write('session', { [`91981000${1000 + n}.0`]: { _sessions: {}, version: 'v1', n: 0 } })
await morePreKeys()
took.length = 0
process.stdout.write('ready\n')

let isTold = false
process.stdin.once('data', () => (isTold = true))
for (let round = 1; !isTold; round++) {
	await write('session', { [`91981000${1000 + (round % SESSIONS)}.0`]: { _sessions: {}, version: 'v1', n: round } })
	if (round % EVERY === 0) await morePreKeys()
	await new Promise(resolve => setTimeout(resolve, 1))
}

const lost = []
let removed = 0
for (const [name, value] of written) {
	const [type, id] = name.split('|')
	const found = (await keys.get(type, [id]))[id]
	if (found === null || found === undefined) {
		type === 'pre-key' ? removed++ : lost.push(name)
	} else if (type === 'session' && found.n !== value.n) lost.push(name)
}
took.sort((a, b) => a - b)
const at = share => took[Math.min(took.length - 1, Math.floor(took.length * share))]
const report = { writes: took.length, made, removed, lost, errors, p50: at(0.5), p99: at(0.99) }
await client.close()
process.stdout.write(JSON.stringify(report) + '\n', () => process.exit(0))
