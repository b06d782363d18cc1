// An issuer that nobody here wrote: the server side of @openid4vc/openid4vci and oauth2 over HTTP, with SD-JWT VCs that @sd-jwt makes.
// It asks for what HAIP asks for: DPoP throughout, and for the authorization code PAR, PKCE and an attested wallet. Its page permits whoever comes.
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import * as jose from 'jose'
import { Oauth2AuthorizationServer, Oauth2ResourceServer, Oauth2ServerErrorResponseError, Oauth2ResourceUnauthorizedError } from '@openid4vc/oauth2'
import { Openid4vciIssuer } from '@openid4vc/openid4vci'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { base64url } from './lib.mjs'
import { callbacks, hold, newKey, privateKey } from './oid4vc.mjs'

const random = () => base64url(randomBytes(24))
const preAuthorized = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'
export const configuration = 'badge'

/// Serves on this machine. `office` is whose chain and key sign, `roots` attest wallets.
export const serve = async ({ office, roots }) => {
  const signing = await hold(office.key)
  const tokens = await newKey({ kid: 'tokens', use: 'sig', alg: 'ES256' })
  const own = callbacks({ roots, signing })
  const server = new Oauth2AuthorizationServer({ callbacks: own })
  const resource = new Oauth2ResourceServer({ callbacks: own })
  const issuer = new Openid4vciIssuer({ callbacks: own })
  // What is kept of each offer, by its id; codes, pushed requests, tokens and transactions lead to one.
  const offers = new Map()
  const [codes, pushed, refresh, transactions, nonces] = Array.from({ length: 5 }, () => new Map())
  const seen = []

  const http = createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const asked = new URL(request.url, url)
      const call = { method: request.method, url: url + request.url, headers: new Headers(request.headers), body: Buffer.concat(chunks).toString() }
      const reply = await answer(asked, call).catch(refusal)
      seen.push({ path: asked.pathname, status: reply.status ?? 200, error: reply.body?.error, why: reply.why })
      const headers = { 'cache-control': 'no-store', ...(typeof reply.body === 'object' && { 'content-type': 'application/json' }), ...reply.headers }
      response.writeHead(reply.status ?? 200, headers).end(typeof reply.body === 'object' ? JSON.stringify(reply.body) : reply.body)
    })
  })
  await new Promise((listening) => http.listen(0, '127.0.0.1', listening))
  const url = `http://localhost:${http.address().port}`

  const metadata = issuer.createCredentialIssuerMetadata({
    credential_issuer: url,
    credential_endpoint: `${url}/credential`,
    nonce_endpoint: `${url}/nonce`,
    deferred_credential_endpoint: `${url}/deferred`,
    notification_endpoint: `${url}/notification`,
    batch_credential_issuance: { batch_size: 3 },
    display: [{ name: 'Office of Others' }],
    credential_configurations_supported: {
      [configuration]: {
        format: 'dc+sd-jwt',
        vct: 'https://office.example/types/badge',
        scope: configuration,
        cryptographic_binding_methods_supported: ['jwk'],
        credential_signing_alg_values_supported: ['ES256'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
        credential_metadata: { display: [{ name: 'Badge', locale: 'en' }], claims: [{ path: ['family_name'], display: [{ name: 'Surname', locale: 'en' }] }] },
      },
    },
  })
  const authorization = server.createAuthorizationServerMetadata({
    issuer: url,
    token_endpoint: `${url}/token`,
    authorization_endpoint: `${url}/authorize`,
    pushed_authorization_request_endpoint: `${url}/par`,
    require_pushed_authorization_requests: true,
    jwks_uri: `${url}/jwks`,
    grant_types_supported: ['authorization_code', 'refresh_token', preAuthorized],
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: ['ES256'],
    token_endpoint_auth_methods_supported: ['attest_jwt_client_auth', 'none'],
    client_attestation_signing_alg_values_supported: ['ES256'],
    client_attestation_pop_signing_alg_values_supported: ['ES256'],
    authorization_response_iss_parameter_supported: true,
    'pre-authorized_grant_anonymous_access_supported': true,
    scopes_supported: [configuration],
  })
  const issuerMetadata = {
    originalDraftVersion: 'V1', credentialIssuer: metadata, authorizationServers: [authorization],
    knownCredentialConfigurations: issuer.getKnownCredentialConfigurationsSupported(metadata),
  }

  const sdJwt = new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest(),
    hashAlg: 'sha-256',
    saltGenerator: (length) => randomBytes(length).toString('base64url'),
    signAlg: 'ES256',
    signer: async (message) => {
      const [header, payload] = message.split('.')
      const sign = new jose.FlattenedSign(Buffer.from(payload, 'base64url')).setProtectedHeader(JSON.parse(Buffer.from(header, 'base64url')))
      return (await sign.sign(privateKey(signing))).signature
    },
  })
  const make = (jwk) => {
    const iat = Math.floor(Date.now() / 1000)
    const { kty, crv, x, y } = jwk
    const payload = { iss: url, iat, exp: iat + 3600, vct: metadata.credential_configurations_supported[configuration].vct, cnf: { jwk: { kty, crv, x, y } } }
    return sdJwt.issue({ ...payload, family_name: 'Gößinger', given_name: 'Gabriele', level: 3 }, { _sd: ['family_name', 'given_name', 'level'], _sdDecoy: 2 }, { header: { x5c: office.chain } })
  }

  const refused = (error, description) => new Oauth2ServerErrorResponseError({ error, error_description: description })
  const refusal = (error) => {
    if (error instanceof Oauth2ServerErrorResponseError) return { status: error.status ?? 400, body: error.errorResponse, why: error.cause?.message ?? error.message }
    if (error instanceof Oauth2ResourceUnauthorizedError) return { status: 401, headers: { 'www-authenticate': error.toHeaderValue() }, body: { error: 'invalid_token' }, why: error.message }
    return { status: 500, body: { error: 'server_error' }, why: error.stack }
  }
  const challenge = (verifier) => createHash('sha256').update(verifier ?? '').digest('base64url')

  const token = async (call) => {
    const { grant, accessTokenRequest, dpop, clientAttestation, pkceCodeVerifier } = server.parseAccessTokenRequest({
      accessTokenRequest: Object.fromEntries(new URLSearchParams(call.body)), request: call,
    })
    const common = { authorizationServerMetadata: authorization, request: call, dpop: { required: true, ...dpop, allowedSigningAlgs: ['ES256'] } }
    let offer, verified
    if (grant.grantType === preAuthorized) {
      offer = [...offers.values()].find((one) => one.code === grant.preAuthorizedCode && !one.used)
      if (!offer) throw refused('invalid_grant', 'no such code')
      verified = await server.verifyPreAuthorizedCodeAccessTokenRequest({
        ...common, grant, accessTokenRequest, expectedPreAuthorizedCode: offer.code, expectedTxCode: offer.txCode,
      })
    } else if (grant.grantType === 'authorization_code') {
      const kept = codes.get(grant.code)
      codes.delete(grant.code)
      if (!kept || kept.redirect_uri !== accessTokenRequest.redirect_uri || challenge(pkceCodeVerifier) !== kept.code_challenge) throw refused('invalid_grant', 'no such code')
      offer = kept.offer
      verified = await server.verifyAuthorizationCodeAccessTokenRequest({
        ...common, grant, accessTokenRequest, expectedCode: grant.code, clientAttestation: { required: true, ...clientAttestation, expectedClientId: kept.client_id },
        dpop: { ...common.dpop, expectedJwkThumbprint: kept.jkt },
      })
    } else {
      const kept = refresh.get(grant.refreshToken)
      refresh.delete(grant.refreshToken)
      if (!kept) throw refused('invalid_grant', 'no such token')
      offer = kept.offer
      verified = await server.verifyRefreshTokenAccessTokenRequest({
        ...common, grant, accessTokenRequest, expectedRefreshToken: grant.refreshToken, dpop: { ...common.dpop, expectedJwkThumbprint: kept.jkt },
      })
    }
    offer.used = true
    const refreshToken = random()
    refresh.set(refreshToken, { offer, jkt: verified.dpop.jwkThumbprint })
    return server.createAccessTokenResponse({
      audience: url, authorizationServer: url, expiresInSeconds: 300, subject: offer.id, dpop: { jwk: verified.dpop.jwk }, refreshToken,
      signer: { method: 'jwk', alg: 'ES256', publicJwk: tokens },
    })
  }
  const par = async (call) => {
    const parsed = await server.parsePushedAuthorizationRequest({ authorizationRequest: Object.fromEntries(new URLSearchParams(call.body)), request: call })
    const { authorizationRequest } = parsed
    const verified = await server.verifyPushedAuthorizationRequest({
      ...parsed, authorizationServerMetadata: authorization, request: call,
      dpop: { required: false, ...parsed.dpop, allowedSigningAlgs: ['ES256'] }, clientAttestation: { required: true, ...parsed.clientAttestation },
    })
    const offer = [...offers.values()].find((one) => one.state === authorizationRequest.issuer_state)
    if (!offer || authorizationRequest.code_challenge_method !== 'S256' || authorizationRequest.scope !== configuration) throw refused('invalid_request', 'not what was offered')
    const requestUri = `urn:ietf:params:oauth:request_uri:${random()}`
    pushed.set(requestUri, { ...authorizationRequest, offer, jkt: verified.dpop?.jwkThumbprint })
    return server.createPushedAuthorizationResponse({ expiresInSeconds: 60, requestUri }).pushedAuthorizationResponse
  }
  const authorize = (query) => {
    const kept = pushed.get(query.get('request_uri'))
    pushed.delete(query.get('request_uri'))
    if (!kept || kept.client_id !== query.get('client_id')) return { status: 400, body: 'no such request' }
    const code = random()
    codes.set(code, kept)
    const back = new URL(kept.redirect_uri)
    for (const [name, value] of Object.entries({ code, state: kept.state, iss: url })) if (value !== undefined) back.searchParams.set(name, value)
    return { status: 303, headers: { location: back.href } }
  }
  const permitted = async (call) => {
    const { tokenPayload } = await resource.verifyResourceRequest({
      authorizationServers: [authorization], resourceServer: url, request: call, allowedAuthenticationSchemes: ['DPoP'],
    })
    return offers.get(tokenPayload.sub)
  }
  const issued = async (keys) => issuer.createCredentialResponse({
    credentialRequest: {}, credentials: await Promise.all(keys.map(async (key) => ({ credential: await make(key) }))), notificationId: random(),
  })
  const credential = async (call) => {
    const offer = await permitted(call)
    const { proofs, credentialConfigurationId } = issuer.parseCredentialRequest({ issuerMetadata, credentialRequest: JSON.parse(call.body) })
    if (credentialConfigurationId !== configuration || !proofs?.jwt || proofs.jwt.length > 3) throw refused('invalid_credential_request', 'one to three proofs of this configuration')
    const keys = []
    const used = new Set()
    for (const jwt of proofs.jwt) {
      const { nonce } = jose.decodeJwt(jwt)
      if (!nonces.has(nonce)) throw refused('invalid_nonce', 'not a nonce of ours')
      used.add(nonce)
      const { signer } = await issuer.verifyCredentialRequestJwtProof({ issuerMetadata, expectedNonce: nonce, nonceExpiresAt: nonces.get(nonce), jwt })
      keys.push(signer.publicJwk)
    }
    for (const nonce of used) nonces.delete(nonce)
    offer.claimed = (offer.claimed ?? 0) + keys.length
    if (!offer.later) return { body: await issued(keys) }
    const transactionId = random()
    transactions.set(transactionId, { offer, keys, polls: 0 })
    return { status: 202, body: issuer.createCredentialResponse({ credentialRequest: {}, transactionId, interval: 1 }) }
  }
  const deferred = async (call) => {
    const offer = await permitted(call)
    const { deferredCredentialRequest } = issuer.parseDeferredCredentialRequest({ deferredCredentialRequest: JSON.parse(call.body) })
    const transactionId = deferredCredentialRequest.transaction_id
    const kept = transactions.get(transactionId)
    if (kept?.offer !== offer) throw refused('invalid_transaction_id', 'no such transaction')
    if (kept.polls++ === 0) return { status: 202, body: issuer.createDeferredCredentialResponse({ transactionId, interval: 1 }) }
    transactions.delete(transactionId)
    return { body: await issued(kept.keys) }
  }

  const answer = async (asked, call) => {
    const route = `${call.method} ${asked.pathname}`
    if (route.startsWith('GET /offers/')) {
      const offer = offers.get(asked.pathname.slice('/offers/'.length))
      return offer ? { body: offer.object } : { status: 404, body: {} }
    }
    switch (route) {
      case 'GET /.well-known/openid-credential-issuer': {
        if (!/^application\/jwt/.test(call.headers.get('accept') ?? '')) return { body: metadata }
        const jwt = await issuer.createSignedCredentialIssuerMetadataJwt({
          credentialIssuerMetadata: metadata, signer: { method: 'x5c', alg: 'ES256', x5c: office.chain }, issuedAt: new Date(), expiresAt: new Date(Date.now() + 3_600_000),
        })
        return { headers: { 'content-type': 'application/jwt' }, body: jwt }
      }
      case 'GET /.well-known/oauth-authorization-server':
        return { body: authorization }
      case 'GET /jwks':
        return { body: { keys: [tokens] } }
      case 'POST /nonce': {
        const nonce = random()
        nonces.set(nonce, new Date(Date.now() + 60_000))
        return { body: issuer.createNonceResponse({ cNonce: nonce }) }
      }
      case 'POST /par':
        return { status: 201, body: await par(call) }
      case 'GET /authorize':
        return authorize(asked.searchParams)
      case 'POST /token':
        return { body: await token(call) }
      case 'POST /credential':
        return credential(call)
      case 'POST /deferred':
        return deferred(call)
      case 'POST /notification': {
        const offer = await permitted(call)
        offer.notified = JSON.parse(call.body).event
        return { status: 204 }
      }
      default:
        return { status: 404, body: {} }
    }
  }

  /// Offers a badge: with a pre-authorized code unless `code` is false; `later` defers it once; `byValue` puts the offer into the link.
  const offer = async ({ code = true, later = false, byValue = false } = {}) => {
    const kept = { id: random(), state: random(), later, ...(code && { code: random(), txCode: '314159' }) }
    const grants = code
      ? { [preAuthorized]: { 'pre-authorized_code': kept.code, tx_code: { input_mode: 'numeric', length: 6 } } }
      : { authorization_code: { issuer_state: kept.state } }
    const made = await issuer.createCredentialOffer({
      issuerMetadata, credentialConfigurationIds: [configuration], grants, ...(!byValue && { credentialOfferUri: `${url}/offers/${kept.id}` }),
    })
    kept.object = made.credentialOfferObject
    offers.set(kept.id, kept)
    return { ...kept, link: made.credentialOffer, kept }
  }
  return { url, offer, seen, close: () => http.close() }
}
