// @sd-jwt/sd-jwt-vc verifies and presents the SD-JWT VCs that wallet.mjs claimed.
// Usage: node sd-jwt.mjs BASE-URL FACTS.json DIRECTORY
import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as jose from 'jose'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { base64url, client, end, report, until } from './lib.mjs'
import { certificate, trusted } from './oid4vc.mjs'

const [base, file, directory] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(file, 'utf8'))
const claimed = JSON.parse(readFileSync(join(directory, 'claimed.json'), 'utf8'))
const roots = [certificate((await client(base).bytes('/v1/trust/root')).toString())]

const hasher = (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest()
const check = (message, signature, key) =>
  jose.flattenedVerify({ protected: message.split('.')[0], payload: message.split('.')[1], signature }, key, { algorithms: ['ES256'] }).then(
    () => true,
    () => false,
  )
const header = (message) => jose.decodeProtectedHeader(`${message}.`)

/// Who issued is found in the header's chain, up to this deployment's root, or in the issuer's metadata.
const byChain = (message, signature) => check(message, signature, trusted(header(message).x5c, roots).publicKey)
const issuerKeys = async (issuer) => {
  const { origin, pathname } = new URL(issuer)
  const metadata = await (await fetch(`${origin}/.well-known/jwt-vc-issuer${pathname}`)).json()
  if (metadata.issuer !== issuer) throw new Error(`the metadata are of ${metadata.issuer}`)
  return metadata.jwks.keys
}
const byMetadata = async (message, signature) => {
  const { iss } = jose.decodeJwt(`${message}.`)
  for (const jwk of await issuerKeys(iss)) if (await check(message, signature, createPublicKey({ key: jwk, format: 'jwk' }))) return true
  return false
}

/// The type's document by its own address; its integrity as W3C's SRI writes it, in base64: version 0.19.0 compares hexadecimal digits.
const fetchType = async (url, integrity) => {
  const response = await fetch(url)
  const bytes = Buffer.from(await response.arrayBuffer())
  const [algorithm, digest] = integrity.split(/-(.*)/)
  if (createHash(algorithm).update(bytes).digest('base64') !== digest) throw new Error('the type has another digest')
  return JSON.parse(bytes)
}
const instance = (more = {}) =>
  new SDJwtVcInstance({
    hasher,
    hashAlg: 'sha-256',
    saltGenerator: (length) => randomBytes(length).toString('base64url'),
    verifier: byChain,
    statusVerifier: byChain,
    vctFetcher: fetchType,
    loadTypeMetadataFormat: true,
    kbVerifier: (message, signature, payload) => check(message, signature, createPublicKey({ key: payload.cnf.jwk, format: 'jwk' })),
    ...more,
  })
const refused = async (promise, why) =>
  promise.then(
    () => 'taken',
    (error) => (why.test(error.message) ? 'refused' : error.message),
  )

const { credential, key } = claimed.copies[0]
const verified = await instance().verify(credential)
const { payload } = verified
report(
  payload.family_name === 'Musterfrau-Gößinger' && payload.birthdate === '1998-02-26' && payload.claims.result === '260415000',
  '@sd-jwt verifies our SD-JWT VC by its x5c, its disclosures, and its status by our list',
)
const paths = verified.typeMetadata.mergedTypeMetadata.claims.map(({ path }) => path)
const found = paths.filter((path) => path.reduce((value, name) => value?.[name], payload) !== undefined)
report(
  verified.typeMetadata.mergedTypeMetadata.vct === payload.vct && found.length === paths.length && paths.length > 5,
  `the type metadata have the digest that the copy names, read by their schema, and ${found.length} of ${paths.length} claims are where they say`,
)
const changedType = async (url, integrity) => fetchType(url, integrity.replace(/-./, (start) => (start === '-A' ? '-B' : '-A')))
report((await refused(instance({ vctFetcher: changedType }).verify(credential), /another digest/)) === 'refused', 'and with another digest they are not taken')
report((await instance({ verifier: byMetadata }).verify(credential)).payload.vct === payload.vct, "the same by the issuer's metadata")
let held = 0
for (const copy of claimed.copies) if ((await instance().verify(copy.credential)).payload.cnf.jwk.x === copy.key.x) held++
report(held === claimed.copies.length, `so do all ${held} copies`)

// ── Changed on the way ──
const [token, ...disclosures] = credential.split('~')
const [head, body, signature] = token.split('.')
const of = (value) => base64url(JSON.stringify(value))
const claims = JSON.parse(Buffer.from(body, 'base64url'))
const withClaims = (more) => [[head, of({ ...claims, ...more }), signature].join('.'), ...disclosures].join('~')
report((await refused(instance().verify(withClaims({ exp: claims.exp + 1 })), /[Ss]ignature/)) === 'refused', 'a later expiry is refused')
const [salt, name] = JSON.parse(Buffer.from(disclosures[0], 'base64url'))
const renamed = [token, of([salt, name, 'Somebody Else']), ...disclosures.slice(1)].join('~')
// What has no digest is not in what they give back.
report((await instance().verify(renamed).then(({ payload }) => payload.family_name, () => undefined)) === undefined, 'a changed disclosure says nothing')

// ── Presented by their holder code ──
const nonce = base64url(randomBytes(16))
const kbSigner = (held) => async (message) => {
  const [protectedHeader, payload] = message.split('.')
  const signed = await new jose.FlattenedSign(Buffer.from(payload, 'base64url')).setProtectedHeader(jose.decodeProtectedHeader(`${protectedHeader}..`)).sign(await jose.importJWK(held, 'ES256'))
  return signed.signature
}
const present = (copy, frame, kb, held = copy.key) =>
  instance({ kbSigner: kbSigner(held), kbSignAlg: 'ES256' }).present(copy.credential, frame, { kb: { payload: { iat: Math.floor(Date.now() / 1000), ...kb } } })
const audience = 'https://danube-air.example'
const frame = { family_name: true, claims: { result: true } }
const shown = await present({ credential, key }, frame, { nonce, aud: audience })
const seen = await instance().verify(shown, { keyBindingNonce: nonce, requiredClaimKeys: ['family_name', 'claims.result'] })
report(
  seen.kb.payload.aud === audience && seen.payload.family_name === 'Musterfrau-Gößinger' && seen.payload.birthdate === undefined && seen.payload.claims.test_name === undefined,
  'their holder shows two claims with a key binding, and no more is seen',
)
report((await refused(instance().verify(shown, { keyBindingNonce: 'another' }), /[Nn]once/)) === 'refused', 'not for another nonce')
const { privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
const byStranger = await present({ credential, key }, frame, { nonce, aud: audience }, await jose.exportJWK(privateKey))
report((await refused(instance().verify(byStranger, { keyBindingNonce: nonce }), /[Ss]ignature/)) === 'refused', 'not with a key that is not its own')

// ── We check what their holder made ──
const airline = client(base, facts.airlineKey)
const ask = () => airline.post('/v1/presentation-requests', { purpose: 'boarding' })
const verdict = (input) => airline.post('/v1/checks', { input, purpose: 'boarding' })
const reasonsOf = (answer) => answer.tests.filter(({ outcome }) => !['passed', 'not_applicable'].includes(outcome)).map(({ reason }) => reason)
const request = await ask()
const bound = { nonce: request.nonce, aud: request.audience }
const answer = await verdict(await present({ credential, key }, frame, bound))
// Which request a presentation outside OpenID4VP answers, and whether the holder signed receipt, it does not say.
report(
  reasonsOf(answer).every((reason) => ['request_missing', 'counter_signature_missing'].includes(reason)) && answer.verdict !== 'invalid',
  `what their holder makes holds here; open are ${reasonsOf(answer).join(', ')}`,
)
report(
  JSON.stringify(answer.attributes) === JSON.stringify({ family_name: 'Musterfrau-Gößinger', result: '260415000' }),
  'and what it shows is what we read',
)
const forged = await verdict(await present({ credential, key }, frame, bound, await jose.exportJWK(privateKey)))
report(forged.verdict === 'invalid' && Object.keys(forged.attributes).length === 0, `with a key that is not its own it is ${forged.verdict}`)

writeFileSync(
  join(directory, 'shown.json'),
  JSON.stringify({ presentation: await present({ credential, key }, { given_name: true }, { nonce, aud: audience }), nonce, audience }),
)

// ── Revoked ──
await client(base, facts.laboratoryKey).post(`/v1/certificates/${claimed.revocable.certificate}/revoke`, { reason: 'error' })
const gone = await until('the status list says so', async () =>
  (await refused(instance().verify(claimed.revocable.credential), /Status is not valid/)) === 'refused')
report(gone, 'once its certificate is revoked @sd-jwt refuses the copy by our status list')
end()
