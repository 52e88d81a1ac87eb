/**
 * A bot as people write them: real Baileys, its session folder and its own log, and the HTTP routes of `ai-admin`.
 *
 * Two things are not as in the field: the address of the server, and the root key of its certificates. Baileys takes the
 * first as an option; the second stands in an object of its Defaults, as no one but WhatsApp can sign for the real one.
 *
 * Arguments: the folder with node_modules, the package, the session folder, {url, root, pair, patience} as JSON.
 */

import { createServer } from 'http'
import { createRequire } from 'module'
import { pathToFileURL } from 'url'

const [generate, packageName, folder, json] = process.argv.slice(2)
const { url, root, pair, patience } = JSON.parse(json)
const from = createRequire(`${generate}/package.json`)
const main = pathToFileURL(from.resolve(packageName)).href
const baileys = await import(main)
const { WA_CERT_DETAILS, DEFAULT_CONNECTION_CONFIG } = await import(new URL('./Defaults/index.js', main).href)
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root, 'hex')
const { logger } = DEFAULT_CONNECTION_CONFIG

const bot = { status: 'disconnected', user: null, qr: null, socket: null, again: undefined, prints: 'nothing' }

/** An account as a pairing leaves it. */
async function pairAccount({ state, saveCreds }) {
	const { update } = await baileys.getNextPreKeysNode(state, 60)
	const key = Buffer.alloc(32, 7).toString('base64')
	Object.assign(state.creds, update, {
		me: { id: '919585510685:17@s.whatsapp.net', name: 'Shop' },
		account: { details: key, accountSignatureKey: key, accountSignature: key, deviceSignature: key },
		platform: 'android'
	})
	await saveCreds()
}

async function connect() {
	// One that was asked to connect has no try of before left, which would cut the new connection.
	clearTimeout(bot.again)
	bot.socket?.ev.removeAllListeners('connection.update')
	bot.socket?.end?.(undefined)
	const auth = await baileys.useMultiFileAuthState(folder)
	bot.status = 'connecting'
	const socket = (bot.socket = baileys.makeWASocket({
		auth: auth.state,
		waWebSocketUrl: url,
		connectTimeoutMs: patience,
		defaultQueryTimeoutMs: patience,
		version: [2, 3000, 1015901307]
	}))
	socket.ev.on('creds.update', auth.saveCreds)
	socket.ev.on('connection.update', ({ connection, lastDisconnect, qr }) => {
		if (qr) bot.qr = qr
		if (connection === 'open') Object.assign(bot, { status: 'connected', user: socket.user, qr: null })
		if (connection === 'close') closed(socket, lastDisconnect)
	})
}

function closed(socket, lastDisconnect) {
	if (socket !== bot.socket) return
	Object.assign(bot, { status: 'disconnected', user: null, qr: null })
	const code = lastDisconnect?.error?.output?.statusCode
	if (bot.prints === 'json') logger.warn({ err: lastDisconnect?.error }, 'connection closed')
	if (bot.prints === 'text') console.log('connection closed due to ', lastDisconnect?.error, ', reconnecting ', code !== 401)
	// As the README of Baileys has it.
	if (code !== baileys.DisconnectReason.loggedOut) bot.again = setTimeout(connect, 300)
}

const PREFIX = '/webhook/whatsapp/baileys'
const routes = {
	'GET status': () => ({
		success: true,
		status: {
			connected: bot.status === 'connected',
			status: bot.status,
			user: bot.user,
			hasQR: bot.qr !== null
		}
	}),
	'GET qr': () => ({ qr: bot.qr }),
	'POST init': async () => (await connect(), { success: true }),
	'POST reconnect': async () => (await connect(), { success: true }),
	// Not a route of ai-admin: how this bot prints the errors that Baileys hands it.
	'POST prints': kind => ((bot.prints = kind), { success: true }),
	'POST send': async (_, { phone, message }) => {
		if (bot.status !== 'connected') return { success: false }
		const sent = bot.socket.sendMessage(`${phone}@s.whatsapp.net`, { text: message })
		return sent.then(() => ({ success: true }), error => ({ success: false, error: error.message }))
	}
}

const server = createServer(async (request, response) => {
	const [verb, word] = request.url.replace(`${PREFIX}/`, '').split('/')
	let sent = ''
	for await (const part of request) sent += part
	const route = routes[`${request.method} ${verb}`]
	const body = JSON.stringify(route ? await route(word, sent && JSON.parse(sent)) : { success: false })
	response.writeHead(route ? 200 : 404, { 'content-type': 'application/json' }).end(body)
})

process.stdin.resume().on('close', () => process.exit())
// A bot that falls over for an error of a query would tell nothing about its connection.
process.on('unhandledRejection', error => logger.error({ err: error }, 'unhandled'))
if (pair) await pairAccount(await baileys.useMultiFileAuthState(folder))
server.listen(0, '127.0.0.1', async () => {
	await connect()
	process.stderr.write(`port ${server.address().port}\n`)
})
