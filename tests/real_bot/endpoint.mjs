/**
 * The server's side of a WhatsApp connection, as far as a bot can see it before and after its login: WebSocket, the
 * Noise XX handshake with a certificate chain, the login, and every way to end a connection.
 *
 * Commands come on standard input, one a line: a mode of MODES for the connections to come, or `kick MODE` to end those
 * that are open, `befriend NUMBER` for somebody who can be written to, `read` for what that one has read so far, and `scan
 * CODE` for the phone that scans the bot's code. The first line of output is {port, root}: `root` is the public key that
 * signs the certificates.
 */

import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'crypto'
import { createServer } from 'http'
import { createRequire } from 'module'
import { createInterface } from 'readline'
import { pathToFileURL } from 'url'
import { People } from './people.mjs'

const [generate, packageName] = process.argv.slice(2)
const from = createRequire(`${generate}/package.json`)
const { WebSocketServer } = from('ws')
const main = pathToFileURL(from.resolve(packageName)).href
const { Curve, proto, encodeBinaryNode, decodeBinaryNode } = await import(main)
const { NOISE_MODE, NOISE_WA_HEADER } = await import(new URL('./Defaults/index.js', main).href)

const EMPTY = Buffer.alloc(0)
const SERVER = 's.whatsapp.net'
const PHONE = { id: '919585510685:17@s.whatsapp.net', lid: '270996591579169:17@lid' }
const people = new People(generate, packageName)

const streamError = (attrs, ...content) => ({ tag: 'stream:error', attrs, content })
const failure = code => ({ tag: 'failure', attrs: { reason: code, location: 'test' } })

/** What a client gets in each mode: `before` the login is answered, or `after`. */
const MODES = {
	ok: {},
	'device-removed': { after: streamError({ code: '401' }, { tag: 'conflict', attrs: { type: 'device_removed' } }) },
	replaced: { after: streamError({}, { tag: 'conflict', attrs: { type: 'replaced' } }) },
	restart: { after: streamError({ code: '515' }) },
	unavailable: { after: streamError({ code: '503' }) },
	'stream-401': { after: streamError({ code: '401' }) },
	'bad-session': { after: streamError({ code: '500' }) },
	'failure-401': { before: failure('401') },
	'failure-403': { before: failure('403') },
	'failure-405': { before: failure('405') },
	terminated: { close: true },
	silent: { silent: true },
	'upgrade-503': { upgrade: 503 }
}

class Noise {
	constructor(clientEphemeral) {
		this.hash = Buffer.from(NOISE_MODE)
		this.salt = this.key = this.hash
		this.counter = 0
		this.mixHash(NOISE_WA_HEADER)
		this.mixHash(clientEphemeral)
	}

	mixHash(data) {
		this.hash = createHash('sha256').update(this.hash).update(data).digest()
	}

	derive(secret) {
		const both = Buffer.from(hkdfSync('sha256', secret, this.salt, EMPTY, 64))
		return [both.subarray(0, 32), both.subarray(32)]
	}

	mixKey(secret) {
		;[this.salt, this.key] = this.derive(secret)
		this.counter = 0
	}

	encrypt(plain) {
		const sealed = seal(this.key, this.counter++, plain, this.hash)
		this.mixHash(sealed)
		return sealed
	}

	decrypt(sealed) {
		const plain = unseal(this.key, this.counter++, sealed, this.hash)
		this.mixHash(sealed)
		return plain
	}
}

function nonce(counter) {
	const iv = Buffer.alloc(12)
	iv.writeUInt32BE(counter, 8)
	return iv
}

function seal(key, counter, plain, additional) {
	const cipher = createCipheriv('aes-256-gcm', key, nonce(counter)).setAAD(additional)
	return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unseal(key, counter, sealed, additional) {
	const cipher = createDecipheriv('aes-256-gcm', key, nonce(counter)).setAAD(additional)
	cipher.setAuthTag(sealed.subarray(-16))
	return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()])
}

const root = Curve.generateKeyPair()
const intermediate = Curve.generateKeyPair()
const identity = Curve.generateKeyPair()

/** A chain as WhatsApp's server shows it, signed by a root of our own. */
function certificates() {
	const { NoiseCertificate } = proto.CertChain
	const certificate = (details, signer) => {
		const encoded = NoiseCertificate.Details.encode(details).finish()
		return { details: encoded, signature: Curve.sign(signer.private, encoded) }
	}
	return proto.CertChain.encode({
		intermediate: certificate({ serial: 1, issuerSerial: 0, key: intermediate.public }, root),
		leaf: certificate({ serial: 2, issuerSerial: 1, key: identity.public }, intermediate)
	}).finish()
}

class Connection {
	constructor(socket, mode) {
		this.socket = socket
		this.mode = mode
		this.bytes = EMPTY
		this.begun = false
		this.step = 'hello'
		this.reading = this.writing = 0
		this.queue = Promise.resolve()
		socket.on('message', data => (this.queue = this.queue.then(() => this.take(data)).catch(error => this.fail(error))))
		socket.on('close', () => open.delete(this))
		open.add(this)
	}

	fail(error) {
		process.stderr.write(`endpoint: ${error.stack}\n`)
		this.socket.terminate()
	}

	async take(data) {
		if (this.mode.silent) return
		this.bytes = Buffer.concat([this.bytes, data])
		if (!this.begun) {
			// What routes a reconnect comes before the header: "ED", its length, itself.
			const skip = this.bytes.subarray(0, 2).toString() === 'ED' ? 7 + this.bytes.readUIntBE(4, 3) : 0
			this.bytes = this.bytes.subarray(skip + NOISE_WA_HEADER.length)
			this.begun = true
		}
		while (this.bytes.length >= 3 && this.bytes.length >= 3 + this.bytes.readUIntBE(0, 3)) {
			const size = this.bytes.readUIntBE(0, 3)
			const frame = this.bytes.subarray(3, 3 + size)
			this.bytes = this.bytes.subarray(3 + size)
			await this[this.step](frame)
		}
	}

	frame(data) {
		const size = Buffer.alloc(3)
		size.writeUIntBE(data.length, 0, 3)
		this.socket.send(Buffer.concat([size, data]))
	}

	hello(frame) {
		const { clientHello } = proto.HandshakeMessage.decode(frame)
		this.ephemeral = Curve.generateKeyPair()
		const noise = (this.noise = new Noise(clientHello.ephemeral))
		noise.mixHash(this.ephemeral.public)
		noise.mixKey(Curve.sharedKey(this.ephemeral.private, clientHello.ephemeral))
		const sealed = noise.encrypt(identity.public)
		noise.mixKey(Curve.sharedKey(identity.private, clientHello.ephemeral))
		const payload = noise.encrypt(certificates())
		const serverHello = { ephemeral: this.ephemeral.public, static: sealed, payload }
		this.frame(proto.HandshakeMessage.encode({ serverHello }).finish())
		this.step = 'finish'
	}

	finish(frame) {
		const { clientFinish } = proto.HandshakeMessage.decode(frame)
		const noiseKey = this.noise.decrypt(clientFinish.static)
		this.noise.mixKey(Curve.sharedKey(this.ephemeral.private, noiseKey))
		const login = proto.ClientPayload.decode(this.noise.decrypt(clientFinish.payload))
		;[this.receiveKey, this.sendKey] = this.noise.derive(EMPTY)
		this.step = 'node'
		// Baileys 6 cannot read what comes before it has derived its keys, and no real network is as quick as this one.
		setTimeout(() => this.answer(login), 50)
	}

	answer(login) {
		if (this.mode.close) return void this.socket.close()
		if (this.mode.before) return this.end(this.mode.before)
		if (!login.username) return this.offerQr()
		this.send({ tag: 'success', attrs: { t: `${Math.floor(Date.now() / 1000)}`, lid: PHONE.lid } })
		if (this.mode.after) setTimeout(() => this.end(this.mode.after), 600)
	}

	offerQr() {
		const ref = n => ({ tag: 'ref', attrs: {}, content: Buffer.from(`2@reference-${n}`) })
		const content = [{ tag: 'pair-device', attrs: {}, content: [ref(1), ref(2), ref(3)] }]
		this.send({ tag: 'iq', attrs: { from: SERVER, type: 'set', id: '1', xmlns: 'md' }, content })
	}

	async node(frame) {
		const node = await decodeBinaryNode(unseal(this.receiveKey, this.reading++, frame, EMPTY))
		if (node.tag === 'message') return people.receive(node, PHONE.id)
		const asked = Array.isArray(node.content) ? node.content[0]?.tag : undefined
		// The bot has signed what its phone told it: it is let in when it comes again.
		if (asked === 'pair-device-sign') return this.end(MODES.restart.after)
		if (node.tag !== 'iq' || !['get', 'set'].includes(node.attrs.type)) return
		const content = (await people.answer(node)) ?? (asked === 'count' ? [{ tag: 'count', attrs: { value: '800' } }] : [{ tag: asked ?? 'ok', attrs: {} }])
		this.send({ tag: 'iq', attrs: { id: node.attrs.id, from: SERVER, type: 'result' }, content })
	}

	send(node) {
		if (this.socket.readyState !== 1) return
		this.frame(seal(this.sendKey, this.writing++, encodeBinaryNode(node), EMPTY))
	}

	end(node) {
		this.send(node)
		setTimeout(() => this.socket.close(), 50)
	}
}

const open = new Set()
let mode = MODES.ok
const server = createServer()
const sockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (request, socket, head) => {
	if (mode.upgrade) {
		return socket.end(`HTTP/1.1 ${mode.upgrade} Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
	}
	sockets.handleUpgrade(request, socket, head, websocket => new Connection(websocket, mode))
})
let port
server.once('listening', () => {
	port = server.address().port
	process.stdout.write(`${JSON.stringify({ port, root: Buffer.from(root.public).toString('hex') })}\n`)
})
server.listen(0, '127.0.0.1')

async function play(line) {
	const [word, name] = line.split(' ')
	if (word === 'befriend') await people.befriend(name, PHONE)
	else if (word === 'read') return people.reading.then(() => process.stdout.write(`${JSON.stringify(people.read)}\n`))
	else if (word === 'scan') {
		const told = await people.scan(name, PHONE)
		for (const connection of open) connection.send({ ...told, attrs: { ...told.attrs, from: SERVER, type: 'set', xmlns: 'md' } })
	} else if (word === 'refuse') server.close()
	else if (word === 'listen') server.listen(port, '127.0.0.1')
	else if (word === 'cut') for (const { socket } of open) socket.terminate()
	else if (word === 'kick') for (const connection of open) connection.end(MODES[name].after)
	else mode = MODES[word]
	process.stdout.write(`${line}\n`)
}

let played = Promise.resolve()
createInterface({ input: process.stdin })
	.on('line', line => (played = played.then(() => play(line))))
	.on('close', () => process.exit())
