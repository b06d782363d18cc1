// What the clients here share: HTTP, keys that are not the server's, cards, and the counting of what held.
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { SigningKey, computeAddress, getBytes } from 'ethers'
import { p256 } from '@noble/curves/p256'

let failed = 0

/// Prints whether something held.
export const report = (ok, what) => {
  if (!ok) failed++
  console.log(`${ok ? 'ok' : 'FAILED'}: ${what}`)
  return ok
}

/// Ends the process; the exit code says whether everything held.
export const end = () => process.exit(failed === 0 ? 0 : 1)

export const base64url = (bytes) => Buffer.from(bytes).toString('base64url')

/// A client of the HTTP API, with an API key or without.
export const client = (base, key) => {
  const ask = async (method, path, body, raw) => {
    const headers = { ...(key && { authorization: `Bearer ${key}` }) }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (method === 'POST' && path === '/v1/results') headers['idempotency-key'] = randomUUID()
    const response = await fetch(base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return raw ? Buffer.from(await response.arrayBuffer()) : response.json()
  }
  return {
    get: (path) => ask('GET', path),
    bytes: (path) => ask('GET', path, undefined, true),
    post: (path, body) => ask('POST', path, body),
  }
}

/// Asks until the answer is there, at most half a minute.
export const until = async (what, ask) => {
  for (let turn = 0; turn < 300; turn++) {
    const answer = await ask()
    if (answer) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`not within 30 seconds: ${what}`)
}

/// The three keys of a holder, or of a participant that keeps its own.
export const newKeys = (chainId) => {
  const account = new SigningKey(randomBytes(32))
  const signing = p256.utils.randomPrivateKey()
  const sealing = generateKeyPairSync('x25519')
  const address = computeAddress(account.publicKey).toLowerCase()
  return {
    address,
    did: `did:ethr:0x${chainId.toString(16)}:${address}`,
    account,
    signing,
    sealing: Buffer.from(sealing.privateKey.export({ format: 'jwk' }).d, 'base64url'),
    sealingPublic: Buffer.from(sealing.publicKey.export({ format: 'jwk' }).x, 'base64url'),
  }
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest()

/// r ‖ s over SHA-256 of the message, and one recovery byte for ES256K-R.
export const sign = (keys, algorithm, message) => {
  if (algorithm === 'ES256') return p256.sign(sha256(message), keys.signing, { lowS: true }).toCompactRawBytes()
  const made = keys.account.sign(sha256(message))
  const bytes = Buffer.concat([getBytes(made.r), getBytes(made.s)])
  return algorithm === 'ES256K-R' ? Buffer.concat([bytes, Buffer.from([made.yParity])]) : bytes
}

const field = (bytes) => {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(bytes.length))
  return Buffer.concat([length, bytes])
}

/// A card, as a holder gives it to an issuer and a participant with its own keys to the authority.
export const card = (keys) => {
  const issuedAt = Math.floor(Date.now() / 1000)
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(issuedAt))
  const point = Buffer.from(p256.getPublicKey(keys.signing, false))
  const message = Buffer.concat([
    Buffer.from('vidimus/holder-card/v1\0'),
    ...[Buffer.from(keys.did), point, keys.sealingPublic, time].map(field),
  ])
  const header = { alg: 'ES256K', typ: 'vidimus-holder-card+jwt', kid: `${keys.did}#controller` }
  const payload = {
    iss: keys.did,
    iat: issuedAt,
    p256: { kty: 'EC', crv: 'P-256', x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)) },
    x25519: { crv: 'X25519', kty: 'OKP', x: base64url(keys.sealingPublic) },
    possession: base64url(sign(keys, 'ES256', message)),
  }
  const text = [header, payload].map((part) => base64url(JSON.stringify(part))).join('.')
  return `${text}.${base64url(sign(keys, 'ES256K', Buffer.from(text)))}`
}

/// A laboratory's report of a negative test; each passport is another person.
export const result = (passport, more = {}) => ({
  claims: {
    person: { family_name: 'Musterfrau-Gößinger', given_name: 'Gabriele', birth_date: '1998-02-26' },
    category: 'sars-cov-2-naat',
    claims: {
      sampled_at: new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z'),
      result: '260415000',
      test_name: 'TaqPath COVID-19 RT-PCR',
      testing_centre: 'Labor Donauraum GmbH',
      country: 'AT',
    },
  },
  document: { type: 'passport', country: 'AT', number: passport },
  ...more,
})
