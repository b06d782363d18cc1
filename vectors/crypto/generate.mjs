// Makes envelopes.json with implementations that are none of ours:
//   npm install @hpke/core @metamask/eth-sig-util && node generate.mjs
// Ephemeral keys are random, so a new run changes the bytes; the contents stay.
import { writeFileSync } from 'node:fs'
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import sigUtil from '@metamask/eth-sig-util'

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const hex = (b) => Buffer.from(b).toString('hex')
const text = (t) => new TextEncoder().encode(t)
const secret = '4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'
const publicKey = hex((await import('node:crypto')).createPublicKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), Buffer.from(secret, 'hex')]), format: 'der', type: 'pkcs8',
}).export({ format: 'der', type: 'spki' }).subarray(12))

async function seal(version, content, info, aad) {
  const recipientPublicKey = await suite.kem.deserializePublicKey(Buffer.from(publicKey, 'hex'))
  const sender = await suite.createSenderContext({ recipientPublicKey, info: text(info) })
  const ct = await sender.seal(content, Buffer.concat([Buffer.from([version]), text(aad)]))
  return hex(Buffer.concat([Buffer.from([version]), Buffer.from(sender.enc), Buffer.from(ct)]))
}

const content = 'Zertifikat für Alice'
const padded = Buffer.concat([text(content), Buffer.from([0x80]), Buffer.alloc(1024)]).subarray(0, 1024)
const hpke = { secret, publicKey, info: 'vidimus/payload/v1', aad: 'copy 7', content,
  plain: await seal(1, text(content), 'vidimus/payload/v1', 'copy 7'),
  padded: await seal(2, padded, 'vidimus/payload/v1', 'copy 7'),
  paddedWithoutEnd: await seal(2, Buffer.alloc(1024), 'vidimus/payload/v1', 'copy 7') }

// From the tests of eth-sig-util, published by MetaMask.
const published = { secret: '7e5374ec2ef0d91761a6e72fdf8f6ac665519bfdf6da0a2329cf0d804514b816', publicKey: 'C5YMNdqE4kLgxQhJO1MfuQcHP5hjVSXzamzd/TxlR0U=', content: 'My name is Satoshi Buterin',
  envelope: { version: 'x25519-xsalsa20-poly1305', nonce: '1dvWO7uOnBnO7iNDJ9kO9pTasLuKNlej', ephemPublicKey: 'FBH1/pAEHOOW14Lu3FWkgV3qOEcuL78Zy+qW1RwzMXQ=', ciphertext: 'f8kBcl/NCyf3sybfbwAKk/np2Bzt9lRVkZejr6uh5FgnNlH/ic62DZzy' } }
if (sigUtil.getEncryptionPublicKey(published.secret) !== published.publicKey) throw new Error('public key')
if (sigUtil.decrypt({ encryptedData: published.envelope, privateKey: published.secret }) !== published.content) throw new Error('content')
const version = 'x25519-xsalsa20-poly1305'
const eip1098 = { published, content,
  encrypt: sigUtil.encrypt({ publicKey: published.publicKey, data: content, version }),
  encryptSafely: sigUtil.encryptSafely({ publicKey: published.publicKey, data: content, version }) }
writeFileSync(new URL('envelopes.json', import.meta.url), JSON.stringify({ hpke, eip1098 }, null, 1) + '\n')
