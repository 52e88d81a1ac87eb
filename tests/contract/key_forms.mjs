/**
 * Whether a client works with the keys of each `creds.json` that a JSON list of texts has: with all that a login, an
 * upload of pre-keys and a rotation make of them. The first creds are those that the others have to agree with.
 *
 *     node key_forms.mjs baileys6|baileys7 FOLDER    (FOLDER/made.json is written first where it is missing)
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadBaileys } from '../../fixtures/generate/client.mjs'

const [version, folder] = process.argv.slice(2)
const baileys = await loadBaileys(version)
const { Curve, aesEncryptGCM, signedKeyPair } = await import(`../../fixtures/generate/node_modules/${version}/lib/Utils/crypto.js`)

async function worked(text) {
	writeFileSync(join(folder, 'creds.json'), text)
	const { creds } = (await baileys.useMultiFileAuthState(folder)).state
	if (!creds.me) return null // it could not be read, and is a new identity
	const { noiseKey, signedIdentityKey } = creds
	const zeros = Buffer.alloc(32)
	// Utils/noise-handler.js: processHandshake
	const sent = aesEncryptGCM(noiseKey.public, zeros, zeros.subarray(0, 12), zeros)
	const shared = Curve.sharedKey(noiseKey.private, Buffer.alloc(32, 9))
	const nowhere = { get: async () => ({}), set: async () => {} }
	const { node } = await baileys.getNextPreKeysNode({ creds, keys: nowhere }, 0)
	// Socket/socket.js: rotateSignedPreKey; Signal/libsignal.js: signalStorage
	signedKeyPair(signedIdentityKey, 2)
	const secrets = [signedIdentityKey.private, creds.signedPreKey.keyPair.private].map(key => Buffer.from(key))
	return [sent, shared, baileys.encodeBinaryNode(node), ...secrets].map(bytes => bytes.toString('hex')).join()
}

const made = join(folder, 'made.json')
if (!existsSync(made)) {
	const creds = Object.assign(baileys.initAuthCreds(), { me: { id: '15550001111:3@s.whatsapp.net' }, account: { details: 'AA==' } })
	writeFileSync(made, JSON.stringify(creds, baileys.BufferJSON.replacer))
	process.exit(0)
}
const answers = []
for (const text of JSON.parse(readFileSync(join(folder, 'texts.json'), 'utf8'))) answers.push(await worked(text).catch(() => null))
const report = JSON.stringify(answers.map(answer => answer !== null && answer === answers[0]))
process.stdout.write(report + '\n', () => process.exit(0))
