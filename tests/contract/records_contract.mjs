// Has the real Baileys write keys of every type into a folder, and read three forms of a Buffer back from it.
// node records_contract.mjs FOLDER VERSION < [[type, id], ...]; prints {files, creds, read: {base64, array, index}}
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [folder, version] = process.argv.slice(2)
const require = createRequire(new URL('../../fixtures/generate/package.json', import.meta.url))
const baileys = await import(require.resolve(`baileys${version}`))
const pairs = JSON.parse(readFileSync(0, 'utf8'))
const value = { bytes: Buffer.from([1, 2, 250]), text: 'é"\n\u2028', list: [Buffer.alloc(0), 1.5, null, true] }
const auth = await baileys.useMultiFileAuthState(folder)
await auth.saveCreds()
const files = {}
for (const [type, id] of pairs) {
  const before = new Set(readdirSync(folder))
  await auth.state.keys.set({ [type]: { [id]: value } })
  for (const name of readdirSync(folder)) if (!before.has(name)) files[name] = [type, id]
}
const read = {}
const forms = {
  base64: '{"type":"Buffer","data":"AQL6"}',
  array: '{"type":"Buffer","data":[1,2,250]}',
  index: '{"0":1,"1":2,"2":250}'
}
for (const [form, text] of Object.entries(forms)) {
  const found = JSON.parse(text, baileys.BufferJSON.reviver)
  read[form] = found instanceof Uint8Array && Buffer.from(found).equals(Buffer.from([1, 2, 250]))
}
const name = Object.keys(files)[0]
console.log(JSON.stringify({ files, read, written: readFileSync(join(folder, name), 'utf8'), plain: JSON.stringify(value) }))
