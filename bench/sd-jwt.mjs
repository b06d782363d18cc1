// How many SD-JWTs a second @sd-jwt issues, presents and verifies, with node's own P-256 keys at hand.
// Standard input: {"claims", "disclosable", "shown", "seconds"}. Standard output: {"issue", "present", "verify"}, operations a second each.
import { createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(new URL('../e2e/package.json', import.meta.url))
const { SDJwtVcInstance } = await import(pathToFileURL(require.resolve('@sd-jwt/sd-jwt-vc')))
const { claims, disclosable, shown, seconds } = JSON.parse(readFileSync(0, 'utf8'))
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const [issuer, holder] = [pair(), pair()]
const raw = (key) => ({ key, dsaEncoding: 'ieee-p1363' })
const signer = ({ privateKey }) => (message) => sign('sha256', Buffer.from(message), raw(privateKey)).toString('base64url')
const verifier = ({ publicKey }) => (message, signature) => verify('sha256', Buffer.from(message), raw(publicKey), Buffer.from(signature, 'base64url'))
const instance = new SDJwtVcInstance({
  hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest(),
  hashAlg: 'sha-256',
  saltGenerator: (length) => randomBytes(length).toString('base64url'),
  signer: signer(issuer),
  signAlg: 'ES256',
  verifier: verifier(issuer),
  kbSigner: signer(holder),
  kbSignAlg: 'ES256',
  kbVerifier: verifier(holder),
})
const payload = { ...claims, cnf: { jwk: holder.publicKey.export({ format: 'jwk' }) } }
const nonce = 'f3J9mQ2xTz7Lk0Wv'
const kb = () => ({ payload: { iat: Math.floor(Date.now() / 1000), aud: 'x509_hash:verifier', nonce } })
const issue = () => instance.issue(payload, { _sd: disclosable })
const frame = Object.fromEntries(shown.map((name) => [name, true]))
const held = await issue()
const present = () => instance.present(held, frame, { kb: kb() })
const presented = await present()
const check = async () => {
  const { payload, kb } = await instance.verify(presented, { keyBindingNonce: nonce })
  if (!kb || shown.some((name) => payload[name] !== claims[name])) throw new Error('not verified')
}
const rate = async (operation) => {
  for (let turn = 0; turn < 50; turn++) await operation()
  const [start, busy] = [performance.now(), process.cpuUsage()]
  let count = 0
  while (performance.now() - start < seconds * 1000) {
    await operation()
    count++
  }
  const { user, system } = process.cpuUsage(busy)
  return (count * 1e6) / (user + system)
}
console.log(JSON.stringify({ issue: await rate(issue), present: await rate(present), verify: await rate(check) }))
