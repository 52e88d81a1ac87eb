// Reads each file of a folder as Baileys does (lib/Utils/use-multi-file-auth-state.js: readData) and says what it found.
// node read_as_the_bot.mjs FOLDER BAILEYS > answers.json; BAILEYS is the folder of the package.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, baileys] = process.argv.slice(2)
const { BufferJSON } = await import(pathToFileURL(join(baileys, 'lib/index.js')))

const answers = {}
for (const name of await readdir(folder)) {
  const text = await readFile(join(folder, name), { encoding: 'utf-8' })
  let value
  try {
    value = JSON.parse(text, BufferJSON.reviver)
  } catch {
    answers[name] = { read: false }
    continue
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const user = isObject && typeof value.me?.id === 'string' ? [...value.me.id].map(one => one.codePointAt(0)) : null
  const next = isObject ? value.nextPreKeyId : undefined
  answers[name] = {
    read: true,
    present: value !== null,
    isObject,
    length: text.length,
    replaced: text.split('\uFFFD').length - 1,
    id: user,
    next: Number.isInteger(next) && next >= 0 && next <= 2 ** 53 ? next : null,
  }
}
process.stdout.write(JSON.stringify(answers))
