// @metamask/eth-sig-util seals, we open; what was changed on the way does not open.
// Usage: node envelope.mjs PROGRAM (the example `eip1098` of vidimus-crypto)
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { encrypt, encryptSafely, getEncryptionPublicKey } from '@metamask/eth-sig-util'
import { end, report } from './lib.mjs'

const version = 'x25519-xsalsa20-poly1305'
const texts = ['', 'a', 'Gößinger, María José, Ælfgifu, 王小明', JSON.stringify({ copy: 'a.b.c', salt: '00'.repeat(32) }), 'x'.repeat(20_000)]
const cases = texts.flatMap((text) =>
  [false, true].map((safely) => {
    const key = randomBytes(32).toString('hex')
    const publicKey = getEncryptionPublicKey(key)
    const envelope = (safely ? encryptSafely : encrypt)({ publicKey, data: text, version })
    return { text, line: { key, safely, envelope } }
  }),
)
const flip = (text) => {
  const bytes = Buffer.from(text, 'base64')
  bytes[bytes.length >> 1] ^= 1
  return bytes.toString('base64')
}
const changed = ['nonce', 'ephemPublicKey', 'ciphertext'].map((member) => {
  const { line } = cases[7]
  return { text: null, member, line: { ...line, envelope: { ...line.envelope, [member]: flip(line.envelope[member]) } } }
})
changed.push({ text: null, member: 'key', line: { ...cases[7].line, key: randomBytes(32).toString('hex') } })
const all = [...cases, ...changed]
const ran = spawnSync(process.argv[2], { input: all.map((one) => JSON.stringify(one.line) + '\n').join(''), encoding: 'utf8', maxBuffer: 1 << 24 })
const answers = ran.stdout.trim().split('\n').map((line) => JSON.parse(line))
if (ran.status !== 0) report(false, `the program ended with ${ran.status}: ${ran.stderr}`)
all.forEach(({ text, line, member }, place) => {
  if (member) report(answers[place] === null, `with its ${member} changed an envelope does not open`)
  else report(answers[place] === text, `we open what eth-sig-util's ${line.safely ? 'encryptSafely' : 'encrypt'} seals, ${text.length} characters`)
})
end()
