// A verifier that nobody here wrote: the server side of @openid4vc/openid4vp over HTTP; what is shown is verified by @sd-jwt.
import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import * as jose from 'jose'
import { Openid4vpVerifier } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { base64url } from './lib.mjs'
import { callbacks, hold, newKey, trusted } from './oid4vc.mjs'

const random = () => base64url(randomBytes(24))

/// Serves on this machine. `asker` is whose chain and key sign the requests; `roots` are the authorities over issuers.
export const serve = async ({ asker, roots }) => {
  const signing = await hold(asker.key)
  const own = callbacks({ roots, signing })
  const verifier = new Openid4vpVerifier({ callbacks: own })
  const asked = new Map()
  const seen = []

  const http = createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const [, what, id] = new URL(request.url, url).pathname.split('/')
      const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
      const reply = await answer(what, asked.get(id), request.method, body).catch((error) => ({ status: 400, body: { error: 'invalid_request' }, why: error.message }))
      seen.push({ path: `/${what}`, method: request.method, status: reply.status ?? 200, why: reply.why })
      const isText = typeof reply.body === 'string'
      response.writeHead(reply.status ?? 200, { 'cache-control': 'no-store', 'content-type': isText ? 'application/oauth-authz-req+jwt' : 'application/json' })
      response.end(isText ? reply.body : JSON.stringify(reply.body))
    })
  })
  await new Promise((listening) => http.listen(0, '127.0.0.1', listening))
  const url = `http://localhost:${http.address().port}`

  const check = (message, signature, key) =>
    jose.flattenedVerify({ protected: message.split('.')[0], payload: message.split('.')[1], signature }, key, { algorithms: ['ES256'] }).then(() => true, () => false)
  const sdJwt = new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest(),
    verifier: (message, signature) => check(message, signature, trusted(jose.decodeProtectedHeader(`${message}.`).x5c, roots).publicKey),
    statusVerifier: (message, signature) => check(message, signature, trusted(jose.decodeProtectedHeader(`${message}.`).x5c, roots).publicKey),
    kbVerifier: (message, signature, { cnf }) => check(message, signature, createPublicKey({ key: cnf.jwk, format: 'jwk' })),
  })

  const object = async (one, walletNonce) => {
    const made = await verifier.createOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: { ...one.payload, ...(walletNonce && { wallet_nonce: walletNonce }) },
      ...(walletNonce && { wallet: { expectedNonce: walletNonce } }),
      jar: {
        jwtSigner: { method: 'x5c', x5c: asker.chain, alg: 'ES256' }, requestUri: `${url}/request/${one.id}`, expiresInSeconds: 120,
        additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
      },
    })
    return { link: made.authorizationRequest, jwt: made.jar.authorizationRequestJwt }
  }
  const seal = async (jwt, key, enc = 'A128GCM') =>
    new jose.CompactEncrypt(Buffer.from(jwt)).setProtectedHeader({ alg: key.alg, enc, kid: key.kid, cty: 'JWT' }).encrypt(await jose.importJWK(key, key.alg))
  const answer = async (what, one, method, body) => {
    if (!one) return { status: 404, body: {} }
    if (what === 'request') {
      const { jwt } = await object(one, method === 'POST' ? body.wallet_nonce : undefined)
      const { jwks, request_object_encryption_enc_values_supported: encs } = JSON.parse(body.wallet_metadata ?? '{}')
      // A wallet that gives a key wants the request encrypted to it (§5.10).
      return { body: jwks ? await seal(jwt, jwks.keys[0], encs?.[0]) : jwt }
    }
    if (one.answered) return { status: 400, body: { error: 'invalid_request' } }
    if (body.error) {
      one.answered = body
      return { body: {} }
    }
    if (body.response) {
      // An encrypted refusal (OpenID4VP 1.0 §8.3.1) is none that version 0.4.6 reads: it looks for a `vp_token` in whatever is encrypted.
      const { payload } = await own.decryptJwe(body.response)
      const opened = JSON.parse(payload ?? '{}')
      if (opened.error) {
        one.answered = { ...opened, encrypted: true }
        return { body: {} }
      }
    }
    const parsed = await verifier.parseOpenid4vpAuthorizationResponse({ authorizationResponse: body, authorizationRequestPayload: one.payload, callbacks: own })
    const shown = {}
    for (const [id, presentations] of Object.entries(parsed.dcql.presentations)) {
      shown[id] = []
      for (const presentation of presentations) {
        const { payload, kb } = await sdJwt.verify(presentation, { keyBindingNonce: one.payload.nonce })
        if (kb.payload.aud !== one.payload.client_id) throw new Error(`shown to ${kb.payload.aud}`)
        shown[id].push(payload)
      }
    }
    one.answered = { shown, encrypted: parsed.jarm !== undefined }
    return { body: {} }
  }

  /// Asks: `prefix` x509_hash or x509_san_dns, `mode` direct_post.jwt or direct_post.
  const ask = async (dcql_query, { prefix = 'x509_hash', mode = 'direct_post.jwt', post = false, more = {} } = {}) => {
    const id = random()
    const hash = createHash('sha256').update(Buffer.from(asker.chain[0], 'base64')).digest('base64url')
    const jwk = await newKey({ use: 'enc', alg: 'ECDH-ES', kid: random() })
    const payload = {
      response_type: 'vp_token', response_mode: mode, client_id: prefix === 'x509_hash' ? `x509_hash:${hash}` : `${prefix}:localhost`,
      nonce: random(), state: random(), response_uri: `${url}/response/${id}`, dcql_query, ...more,
      client_metadata: {
        ...(mode === 'direct_post.jwt' && { jwks: { keys: [jwk] }, encrypted_response_enc_values_supported: ['A128GCM', 'A256GCM'] }),
        vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
      },
    }
    const one = { id, payload }
    asked.set(id, one)
    const { link } = await object(one)
    return { one, link: post ? `${link}&request_uri_method=post` : link }
  }
  return { url, ask, seen, close: () => http.close() }
}
