/** Signs and checks with arithmetic.mjs and with the original, each what the other signed, and what was changed by a bit. */

import crypto from 'node:crypto'
import { createRequire } from 'node:module'

const original = { ...createRequire(new URL('../../fixtures/generate/', import.meta.url))('curve25519-js') }
await import('../../fixtures/generate/arithmetic.mjs')
const ours = createRequire(new URL('../../fixtures/generate/', import.meta.url))('curve25519-js')

const flipped = (bytes, bit) => {
	const changed = Uint8Array.from(bytes)
	changed[bit >> 3] ^= 1 << (bit & 7)
	return changed
}
const report = { pairs: 0, differ: [] }
const same = (what, one, other) => one === other || report.differ.push([what, one, other])
for (let i = 0; i < 5; i++) {
	const pair = original.generateKeyPair(crypto.randomBytes(32))
	const [secret, key] = [Uint8Array.from(pair.private), Uint8Array.from(pair.public)]
	const message = Uint8Array.from(crypto.randomBytes(1 + i * 7))
	for (const [by, signature] of [['ours', ours.sign(secret, message)], ['original', original.sign(secret, message)]]) {
		same(`${by}, as signed`, ours.verify(key, message, signature), true)
		same(`${by}, as signed, by the original`, original.verify(key, message, signature), true)
		for (const bit of [0, 255, 256, 300, 511]) same(`${by}, bit ${bit}`, ours.verify(key, message, flipped(signature, bit)), original.verify(key, message, flipped(signature, bit)))
		same(`${by}, message`, ours.verify(key, flipped(message, 3), signature), false)
		same(`${by}, key`, ours.verify(flipped(key, 77), message, signature), false)
	}
	report.pairs++
}
console.log(JSON.stringify({ ...report, replaced: ours.sign !== original.sign && ours.verify !== original.verify }))
