/** Who is behind the endpoint: the phone that scans the bot's code, and somebody whom the bot writes to. */

import { pathToFileURL } from 'url'

const FEW = 6
const SERVER = 's.whatsapp.net'
const SILENT = new Proxy({}, { get: (_, name) => (name === 'level' ? 'silent' : () => {}) })

const child = (node, tag) => (Array.isArray(node?.content) ? node.content.find(one => one.tag === tag) : undefined)

export class People {
	constructor(generate, packageName) {
		this.generate = generate
		this.packageName = packageName
		this.read = []
		this.reading = Promise.resolve()
	}

	/** Their own keys take a second to load, and most tests need none of them. */
	async load() {
		if (this.baileys) return
		const from = name => import(pathToFileURL(`${this.generate}/${name}`).href)
		this.client = await from('client.mjs')
		const { Server } = await from('server.mjs')
		this.world = await from('world.mjs')
		this.baileys = await this.client.loadBaileys(this.packageName)
		this.server = new Server()
	}

	/** Somebody with this number can be written to; of each message the bot's own phone gets a copy. */
	async befriend(number, addresses) {
		await this.load()
		this.phone = await this.device(addresses.id.split(':')[0], addresses.lid.split(':')[0])
		this.friend = await this.device(number, `2${number}`)
	}

	async device(user, lid) {
		const { Client, KeyStore } = this.client
		const creds = { ...this.baileys.initAuthCreds(), me: { id: `${user}:0@${SERVER}`, lid: `${lid}:0@lid` } }
		const client = new Client(this.baileys, this.server, `${user}@${SERVER}`, { creds, keys: new KeyStore(this.baileys) })
		this.server.clients.set(`${lid}@lid`, client)
		await client.uploadPreKeys(FEW)
		return client
	}

	/** Given the text of a bot's code as a reader has it, return what the server tells the bot of its phone. */
	async scan(code, addresses) {
		await this.load()
		const [, , identity, secret] = code.slice(code.indexOf('2@')).split(',')
		const bot = { signedIdentityKey: { public: Buffer.from(identity, 'base64') }, advSecretKey: secret }
		const phone = { creds: this.baileys.initAuthCreds() }
		return this.world.pairSuccess(this.baileys, bot, phone, addresses)
	}

	/** The answer to what a bot asks before it writes to somebody; undefined for anything else. */
	async answer(node) {
		const asked = node.content?.[0]
		if (asked?.tag === 'usync') return [{ tag: 'usync', attrs: {}, content: [this.listed(child(asked, 'list').content)] }]
		if (asked?.tag !== 'key' || !this.friend) return undefined
		const users = []
		for (const { attrs } of asked.content) {
			const bundle = await this.server.preKeyBundle(attrs.jid)
			users.push(...bundle.content[0].content.map(user => ({ ...user, attrs: { jid: attrs.jid } })))
		}
		return [{ tag: 'list', attrs: {}, content: users }]
	}

	/** Everybody has a phone, and nothing beside it. */
	listed(users) {
		const list = { tag: 'device-list', attrs: {}, content: [{ tag: 'device', attrs: { id: '0' } }] }
		const content = users.map(({ attrs }) => {
			const lid = this.server.clients.get(attrs.jid)?.creds.me.lid.replace(':0@', '@')
			const known = lid ? [{ tag: 'lid', attrs: { val: lid } }] : []
			return { tag: 'user', attrs, content: [{ tag: 'devices', attrs: {}, content: [list] }, ...known] }
		})
		return { tag: 'list', attrs: {}, content }
	}

	/** A message of the bot has arrived: whoever it is for reads it, as a client does. */
	receive(node, from) {
		this.reading = this.reading.then(async () => {
			for (const { attrs, content } of child(node, 'participants')?.content ?? []) {
				const reader = this.server.clients.get(attrs.jid)
				const stanza = { tag: 'message', attrs: { id: node.attrs.id, t: '1', from }, content }
				const { fullMessage, decrypt } = this.baileys.decryptMessageNode(
					stanza, reader.creds.me.id, reader.creds.me.lid, reader.repository, SILENT
				)
				await decrypt()
				const { conversation, extendedTextMessage } = fullMessage.message ?? {}
				const text = conversation || extendedTextMessage?.text || `unreadable: ${fullMessage.messageStubParameters}`
				if (reader === this.friend) this.read.push(text)
			}
		})
	}
}
