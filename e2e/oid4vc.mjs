// What @openid4vc asks of its callers: keys, hashes, signatures, and whom to trust.
import { createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto'
import * as jose from 'jose'
import { setGlobalConfig } from '@openid4vc/oauth2'

// The server is on this machine, without TLS.
setGlobalConfig({ allowInsecureUrls: true })

const held = new Map()
const named = new Map()

/// A new P-256 key: its public JWK, which also names it to the callbacks.
export const newKey = async (more = {}) => {
  const { publicKey, privateKey } = await jose.generateKeyPair(more.use === 'enc' ? 'ECDH-ES' : 'ES256', { crv: 'P-256', extractable: true })
  const jwk = { ...(await jose.exportJWK(publicKey)), ...more }
  held.set(jwk.x, privateKey)
  if (jwk.kid) named.set(jwk.kid, jwk)
  return jwk
}

/// Takes in a private key, and gives its public JWK.
export const hold = async ({ kty, crv, x, y, d }) => {
  held.set(x, await jose.importJWK({ kty, crv, x, y, d }, 'ES256'))
  return { kty, crv, x, y }
}

export const privateKey = (jwk) => {
  const key = held.get(jwk.x)
  if (!key) throw new Error('not one of our keys')
  return key
}

export const signer = (publicJwk) => ({ method: 'jwk', alg: 'ES256', publicJwk })

/// A compact JWT, signed by one of our keys.
export const jwt = (header, payload, jwk) => new jose.SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(privateKey(jwk))

/// The leaf of a chain of base64 DER whose last certificate is one of the roots or signed by one: each signed by the next, all of them valid now.
export const trusted = (x5c, roots) => {
  const chain = x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  const now = Date.now()
  const last = chain.at(-1)
  const root = roots.find((root) => root.fingerprint256 === last.fingerprint256 || last.verify(root.publicKey))
  if (!root) throw new Error('the chain ends with nobody who is trusted')
  chain.forEach((certificate, place) => {
    const above = chain[place + 1]
    if (above && !certificate.verify(above.publicKey)) throw new Error('the chain is broken')
    if (Date.parse(certificate.validFrom) > now || Date.parse(certificate.validTo) < now) throw new Error('a certificate is not valid now')
  })
  return chain[0]
}

/// One of our keys as a did:jwk, and who signs by its name.
export const didOf = ({ kty, crv, x, y }) => `did:jwk:${Buffer.from(JSON.stringify({ crv, kty, x, y })).toString('base64url')}`
export const didSigner = (publicJwk) => ({ method: 'did', alg: 'ES256', didUrl: `${didOf(publicJwk)}#0` })
const keyOfDid = (didUrl = '') => {
  const jwk = /^did:jwk:([^#]+)/.exec(didUrl)?.[1]
  return jwk && JSON.parse(Buffer.from(jwk, 'base64url'))
}

const keyOf = (signer, roots) => {
  if (signer.method === 'jwk') return signer.publicJwk
  if (signer.method === 'x5c') return trusted(signer.x5c, roots).publicKey.export({ format: 'jwk' })
  const key = keyOfDid(signer.didUrl)
  if (!key) throw new Error(`no key for ${JSON.stringify(signer)}`)
  return key
}

/// The callbacks; `signing` is the key of signers that name none (an x5c chain), `roots` whom to trust.
export const callbacks = ({ roots = [], signing, clientAuthentication = () => {} } = {}) => ({
  hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
  generateRandom: (length) => randomBytes(length),
  clientAuthentication,
  fetch,
  getX509CertificateMetadata: (der) => {
    const names = new X509Certificate(Buffer.from(der, 'base64')).subjectAltName?.split(', ') ?? []
    const of = (kind) => names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
    return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') }
  },
  signJwt: async (signer, { header, payload }) => {
    const jwk = signer.publicJwk ?? keyOfDid(signer.didUrl) ?? signing
    return { jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(privateKey(jwk)), signerJwk: jwk }
  },
  verifyJwt: async (signer, { compact }) => {
    try {
      const signerJwk = keyOf(signer, roots)
      const key = createPublicKey({ key: signerJwk, format: 'jwk' })
      await jose.compactVerify(compact, key, { algorithms: [signer.alg] })
      return { verified: true, signerJwk }
    } catch {
      return { verified: false }
    }
  },
  encryptJwe: async ({ publicJwk, alg, enc, apu, apv }, data) => {
    const encrypt = new jose.CompactEncrypt(Buffer.from(data)).setProtectedHeader({ alg, enc, ...(publicJwk.kid && { kid: publicJwk.kid }) })
    if (apv) encrypt.setKeyManagementParameters({ apv: Buffer.from(apv, 'base64url'), ...(apu && { apu: Buffer.from(apu, 'base64url') }) })
    return { jwe: await encrypt.encrypt(await jose.importJWK(publicJwk, alg)), encryptionJwk: publicJwk }
  },
  decryptJwe: async (jwe) => {
    const decryptionJwk = named.get(jose.decodeProtectedHeader(jwe).kid)
    if (!decryptionJwk) return { decrypted: false }
    const { plaintext } = await jose.compactDecrypt(jwe, privateKey(decryptionJwk))
    return { decrypted: true, payload: new TextDecoder().decode(plaintext), decryptionJwk }
  },
})

/// A PEM or base64 DER certificate.
export const certificate = (text) => new X509Certificate(text.includes('BEGIN') ? text : Buffer.from(text, 'base64'))
