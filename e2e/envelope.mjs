// @metamask/eth-sig-util on the EIP-1098 envelope.
// Usage: node envelope.mjs open PRIVATE-KEY-HEX < ENVELOPE-JSON     prints the text
//        node envelope.mjs seal PUBLIC-KEY-BASE64 < TEXT            prints the envelope
import { readFileSync } from 'node:fs'
import { decrypt, encrypt } from '@metamask/eth-sig-util'

const [verb, key] = process.argv.slice(2)
const input = readFileSync(0, 'utf8')
if (verb === 'open') {
  process.stdout.write(decrypt({ encryptedData: JSON.parse(input), privateKey: key.replace(/^0x/, '') }))
} else if (verb === 'seal') {
  process.stdout.write(JSON.stringify(encrypt({ publicKey: key, data: input, version: 'x25519-xsalsa20-poly1305' })))
} else {
  console.error('usage: envelope.mjs open KEY | seal KEY')
  process.exit(2)
}
