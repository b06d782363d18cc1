// The wallet of @openid4vc/openid4vci claims what we issue: pre-authorized code and authorization code, with everything that its client does.
// Usage: node wallet.mjs BASE-URL FACTS.json DIRECTORY
// Writes into DIRECTORY: claimed.json, SD-JWT VCs and the keys that they are bound to.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Oauth2Client, clientAuthenticationAnonymous, clientAuthenticationClientAttestationJwt } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import * as jose from 'jose'
import { client, end, report, result } from './lib.mjs'
import { callbacks, certificate, didOf, didSigner, jwt, newKey, privateKey, signer, trusted } from './oid4vc.mjs'

const [base, file, directory] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(file, 'utf8'))
const laboratory = client(base, facts.laboratoryKey)
const roots = [certificate((await client(base).bytes('/v1/trust/root')).toString())]
const sdJwt = `${facts.category}.dc+sd-jwt`
const vcJwt = `${facts.category}.jwt_vc_json`

const reported = async (more) => laboratory.post('/v1/results', { ...result(`P${randomBytes(6).toString('hex').toUpperCase()}`), ...more })
const offer = (body) => laboratory.post('/v1/offers', body)

/// What a promise was refused with: `STATUS error`, as the HTTP response has it.
const refusal = async (promise) => {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  )
  if (!error) return 'taken'
  const response = error.response?.response ?? error.response
  if (!response?.clone) throw error
  const body = await response.clone().json().catch(() => ({}))
  return `${response.status} ${body.error}`
}
const says = (said, wanted, what) => report(said === wanted, `${what}: ${said}${said === wanted ? '' : `, not ${wanted}`}`)

/// Their client takes metadata in either form, and leaves the header that chooses to its caller.
const preferSigned = (url, init) =>
  fetch(url, String(url).includes('/.well-known/openid-credential-issuer/') ? { ...init, headers: { accept: 'application/jwt' } } : init)

/// One wallet with an offer: its DPoP key, and the client that carries out the protocol.
const open = async (view, clientAuthentication = clientAuthenticationAnonymous()) => {
  const dpop = { signer: signer(await newKey()) }
  const vci = new Openid4vciClient({ callbacks: { ...callbacks({ roots, clientAuthentication }), fetch: preferSigned } })
  const credentialOffer = await vci.resolveCredentialOffer(view.link)
  const issuerMetadata = await vci.resolveIssuerMetadata(credentialOffer.credential_issuer)
  return { vci, dpop, credentialOffer, issuerMetadata }
}
const tokens = async (wallet, txCode) =>
  (await wallet.vci.retrievePreAuthorizedCodeAccessTokenFromOffer({ ...wallet, txCode })).accessTokenResponse
const nonce = async (wallet) => (await wallet.vci.requestNonce(wallet)).c_nonce
const prove = async (wallet, credentialConfigurationId, keys, nonce, clientId) =>
  Promise.all(
    keys.map(async (key) => (await wallet.vci.createCredentialRequestJwtProof({ ...wallet, credentialConfigurationId, signer: key, nonce, clientId })).jwt),
  )
const newKeys = (count) => Promise.all(Array.from({ length: count }, () => newKey()))
/// Asks for copies, for so many new keys.
const claim = async (wallet, token, credentialConfigurationId, { count = 1, clientId, more } = {}) => {
  const keys = await newKeys(count)
  const jwts = await prove(wallet, credentialConfigurationId, keys.map(signer), await nonce(wallet), clientId)
  const retrieved = await wallet.vci.retrieveCredentials({
    ...wallet, credentialConfigurationId, accessToken: token.access_token, proofs: { jwt: jwts }, additionalRequestPayload: more,
  })
  return { ...retrieved.credentialResponse, keys }
}
const payload = (compact) => jose.decodeJwt(compact.split('~')[0])
const copies = (claimed) => claimed.credentials.map(({ credential }) => credential)

// ── Pre-authorized code, as the laboratory hands it over ──
const handed = await offer({ result: (await reported()).result })
const wallet = await open(handed)
const { issuerMetadata, credentialOffer } = wallet
report(
  handed.link.includes('credential_offer_uri=') && credentialOffer.credential_configuration_ids.length === 2,
  `their wallet resolves our offer by reference: ${credentialOffer.credential_configuration_ids.join(', ')}`,
)
const known = Object.keys(issuerMetadata.knownCredentialConfigurations)
report(known.includes(sdJwt) && known.includes(vcJwt), `it knows both formats in our metadata, version ${issuerMetadata.originalDraftVersion}`)
const signed = issuerMetadata.signedCredentialIssuer
report(
  signed?.jwt.header.typ === 'openidvci-issuer-metadata+jwt' && trusted(signed.jwt.header.x5c, roots) !== undefined,
  "it prefers our signed metadata, and their certificate chain ends at this deployment's root",
)
const plain = await new Openid4vciClient({ callbacks: { ...callbacks(), verifyJwt: undefined } }).resolveIssuerMetadata(credentialOffer.credential_issuer)
const { iat, exp, sub, iss, ...same } = signed?.jwt.payload ?? {}
report(
  plain.signedCredentialIssuer === undefined && JSON.stringify(sorted(same)) === JSON.stringify(sorted(plain.credentialIssuer)),
  'and the plain metadata say the same',
)
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
}
const [server] = issuerMetadata.authorizationServers
report(
  server.issuer === credentialOffer.credential_issuer && new Oauth2Client({ callbacks: callbacks() }).isDpopSupported({ authorizationServerMetadata: server }).supported,
  'it reads the authorization server metadata: DPoP is supported',
)

const right = handed.tx_code.code
const wrong = String((Number(right) + 1) % 1e8).padStart(8, '0')
says(await refusal(tokens(wallet, wrong)), '400 invalid_grant', 'a wrong transaction code')
const token = await tokens(wallet, right)
report(token.token_type === 'DPoP' && token.access_token.length >= 43, 'the right one gives a token that is bound to its DPoP key')
says(await refusal(tokens(wallet, right)), '400 invalid_grant', 'the same pre-authorized code again')

const batch = await claim(wallet, token, sdJwt, { count: 3 })
const texts = copies(batch)
report(
  texts.length === 3 && texts.every((text, place) => payload(text).cnf.jwk.x === batch.keys[place].x),
  'a batch of three proofs gives three SD-JWT VCs, each bound to one of its keys',
)
const traits = (text) => [payload(text).status.status_list.idx, ...payload(text)._sd, ...payload(text).claims._sd, text.split('~')[0].split('.')[2]]
const all = texts.flatMap(traits)
report(new Set(all).size === all.length, 'that share neither digests nor a place in the status list')
const jwts = await claim(wallet, token, vcJwt, { count: 2 })
report(
  copies(jwts).every((text) => payload(text).vc.type.includes('VidimusCertificate')) && new Set(copies(jwts)).size === 2,
  'and two as jwt_vc_json under the same token',
)
const [named] = await newKeys(1)
const byDid = await wallet.vci.retrieveCredentials({
  ...wallet, credentialConfigurationId: vcJwt, accessToken: token.access_token, proofs: { jwt: await prove(wallet, vcJwt, [didSigner(named)], await nonce(wallet)) },
})
report(payload(copies(byDid.credentialResponse)[0]).sub === didOf(named), 'one whose key is named by a did:jwk is of that DID')
says(
  await refusal(
    wallet.vci.retrieveCredentials({
      ...wallet, credentialConfigurationId: sdJwt, accessToken: token.access_token, proofs: { jwt: await prove(wallet, sdJwt, [didSigner(named)], await nonce(wallet)) },
    }),
  ),
  '400 invalid_proof',
  'a key named by a DID where the metadata have `jwk` alone',
)
const notify = (wallet, token, notificationId) =>
  wallet.vci.sendNotification({ ...wallet, accessToken: token.access_token, notification: { notificationId, event: 'credential_accepted' } })
report((await notify(wallet, token, batch.notification_id)).response.status === 204, 'their notification is taken')
says(await refusal(notify(wallet, token, 'of-somebody-else')), '400 invalid_notification_id', 'one about nothing that was given')

const once = await nonce(wallet)
const ask = async (keys, nonce, more = {}) =>
  wallet.vci.retrieveCredentials({
    ...wallet, credentialConfigurationId: sdJwt, accessToken: token.access_token, proofs: { jwt: await prove(wallet, sdJwt, keys.map(signer), nonce) }, ...more,
  })
await ask(await newKeys(1), once)
says(await refusal(ask(await newKeys(1), once)), '400 invalid_nonce', 'a nonce that was used before')
says(await refusal(ask(await newKeys(1), 'bm90LW91cnM')), '400 invalid_nonce', 'a nonce that is not ours')
says(await refusal(ask(await newKeys(1), await nonce(wallet), { dpop: { signer: signer(await newKey()) } })), '401 invalid_token', 'the token with another DPoP key')
says(await refusal(ask(await newKeys(1), await nonce(wallet), { dpop: undefined })), '401 invalid_token', 'the token without a proof')
says(
  await refusal(ask(await newKeys(1), await nonce(wallet), { accessToken: token.access_token.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) })),
  '401 invalid_token',
  'another token',
)

const nonced = await ask(await newKeys(1), await nonce(wallet))
const again = await ask(await newKeys(1), await nonce(wallet), { dpop: { ...wallet.dpop, nonce: nonced.dpop.nonce } })
report(again.credentialResponse.credentials.length === 1, 'our DPoP nonce in their proof is taken')
const stale = await ask(await newKeys(1), await nonce(wallet), { dpop: { ...wallet.dpop, nonce: 'bm90LW91cnM' } })
report(stale.credentialResponse.credentials.length === 1, 'one that is not ours is answered with a new one, with which their client asks again')

// ── Encryption, which their client leaves to its caller: here to jose, between the client and the network ──
const { credential_request_encryption: toUs, credential_response_encryption: toThem } = issuerMetadata.credentialIssuer
for (const enc of toThem.enc_values_supported) {
  const jwk = await newKey({ use: 'enc', alg: 'ECDH-ES', kid: 'of-this-request' })
  // Their client still sends the drafts' `alg` beside the key.
  const encrypted = { credential_response_encryption: { jwk, alg: 'ECDH-ES', enc } }
  says(await refusal(claim(wallet, token, sdJwt, { more: encrypted })), '400 invalid_encryption_parameters', 'a wish for encryption in a request that is not encrypted')
  let answer
  const sealing = async (url, init) => {
    if (url !== issuerMetadata.credentialIssuer.credential_endpoint) return fetch(url, init)
    const [key] = toUs.jwks.keys
    const header = { alg: key.alg, enc, kid: key.kid }
    const body = await new jose.CompactEncrypt(Buffer.from(init.body)).setProtectedHeader(header).encrypt(await jose.importJWK(key, key.alg))
    const response = await fetch(url, { ...init, body, headers: { ...init.headers, 'Content-Type': 'application/jwt' } })
    if (!response.ok) return response
    const { plaintext, protectedHeader } = await jose.compactDecrypt(await response.text(), privateKey(jwk))
    answer = { ...protectedHeader, type: response.headers.get('content-type') }
    return new Response(plaintext, { headers: { 'content-type': 'application/json' } })
  }
  const between = { ...wallet, vci: new Openid4vciClient({ callbacks: { ...callbacks(), fetch: sealing } }) }
  const claimed = await claim(between, token, sdJwt, { more: encrypted })
  report(
    answer.type === 'application/jwt' && answer.enc === enc && answer.kid === jwk.kid && payload(copies(claimed)[0]).cnf.jwk.x === claimed.keys[0].x,
    `request and response encrypted with ${answer.alg} and ${answer.enc}: we open theirs, they open ours`,
  )
}

// ── The result is still to come ──
const pending = await offer({ category: facts.category, formats: ['dc+sd-jwt'] })
const early = await open(pending)
const earlyToken = await tokens(early, pending.tx_code.code)
const waiting = await claim(early, earlyToken, sdJwt, { count: 2 })
report(typeof waiting.transaction_id === 'string' && waiting.interval > 0, 'a claim before the result is deferred')
const fetchDeferred = (transactionId) => early.vci.retrieveDeferredCredentials({ ...early, accessToken: earlyToken.access_token, transactionId })
const still = (await fetchDeferred(waiting.transaction_id)).deferredCredentialResponse
report(still.transaction_id === waiting.transaction_id && still.credentials === undefined, 'and still is, while there is none')
await reported({ offer: pending.id })
const answered = await fetchDeferred(waiting.transaction_id).then(
  (ready) => ready.deferredCredentialResponse,
  // Version 0.4.6 refuses `notification_id` beside `credentials`, where OpenID4VCI 1.0 §9.2 with §8.3 has it: what came is in its error.
  async (error) => (error.response.response.status === 200 ? error.response.response.json() : Promise.reject(error)),
)
report(
  copies(answered).length === 2 && copies(answered).every((text, place) => payload(text).cnf.jwk.x === waiting.keys[place].x),
  'once it is reported both copies come, bound to the keys of the first request',
)
says(await refusal(fetchDeferred(waiting.transaction_id)), '400 invalid_transaction_id', 'the same transaction again')

// ── Authorization code: HAIP's way, with PAR, PKCE, DPoP and an attested wallet ──
/// Proves a key to the wallet provider, here this deployment's own.
const prover = (jwk) => jwt({ typ: 'vidimus-attestation-request+jwt', jwk }, { aud: base, iat: Math.floor(Date.now() / 1000) }, jwk)
const attest = (body) => client(base).post('/v1/wallet-attestations', body)
const attested = await attest({ client: await prover(await newKey()) })
const authentication = clientAuthenticationClientAttestationJwt({ callbacks: callbacks(), clientAttestationJwt: attested.client_attestation })
const withAttestation = async (view) => open(view, authentication)
const redirectUri = 'https://wallet.example/back'
// Not `createAuthorizationRequestUrlFromOffer`, which sends no state.
const begin = (wallet, state, { clientAuthentication = authentication, scope = sdJwt } = {}) =>
  new Oauth2Client({ callbacks: callbacks({ clientAuthentication }) }).createAuthorizationRequestUrl({
    ...wallet, authorizationServerMetadata: wallet.issuerMetadata.authorizationServers[0], clientId: attested.client_id, redirectUri, scope, state,
    resource: wallet.issuerMetadata.credentialIssuer.credential_issuer,
    additionalRequestPayload: { issuer_state: wallet.credentialOffer.grants.authorization_code.issuer_state },
  })

/// The page in a browser: opened once, answered with the code.
const browse = async (url) => {
  const page = await fetch(url, { redirect: 'manual' })
  const cookie = page.headers.get('set-cookie')?.split(';')[0]
  const html = await page.text()
  const action = /action="([^"]+)"/.exec(html)?.[1]
  const shown = /name="page" value="([^"]+)"/.exec(html)?.[1]
  const answer = (code) =>
    fetch(action, { method: 'POST', redirect: 'manual', headers: { cookie }, body: new URLSearchParams({ page: shown, code }) })
  return { status: page.status, cookie, answer }
}

const permittedResult = await reported()
const permitted = await offer({ result: permittedResult.result, pre_authorized: false })
const haip = await withAttestation(permitted)
report(Object.keys(haip.credentialOffer.grants).join() === 'authorization_code', 'an offer without a pre-authorized code')
says(await refusal(begin(haip, 's0', { clientAuthentication: clientAuthenticationAnonymous() })), '401 invalid_client', 'a pushed request without attestation')
says(await refusal(begin(haip, 's0', { scope: 'something-else' })), '400 invalid_scope', 'a scope that we do not have')
const begun = await begin(haip, 'of-this-session')
const address = new URL(begun.authorizationRequestUrl)
report(
  [...address.searchParams.keys()].sort().join() === 'client_id,request_uri' && begun.pkce.codeChallengeMethod === 'S256',
  'their wallet pushes its request with PKCE, attested, and leaves a handle in the address',
)
const page = await browse(begun.authorizationRequestUrl)
report(page.status === 200 && (await fetch(begun.authorizationRequestUrl, { redirect: 'manual' })).status === 400, 'which opens the page once')
const missed = await page.answer('00000000')
report(missed.status === 200 && (await missed.text()).includes('not right'), 'the page asks again after a wrong code')
const back = await page.answer(permitted.tx_code.code)
const location = back.headers.get('location')
const authorizationServerMetadata = haip.issuerMetadata.authorizationServers[0]
const response = haip.vci.parseAndVerifyAuthorizationResponseRedirectUrl({ url: location, authorizationServerMetadata })
report(
  back.status === 303 && location.startsWith(`${redirectUri}?`) && response.state === 'of-this-session' && response.iss === permitted.issuer,
  'the right one leads back with a code, the state and our `iss`, which their wallet verifies',
)
const redeem = (pkceCodeVerifier, more = {}) =>
  haip.vci.retrieveAuthorizationCodeAccessTokenFromOffer({ ...haip, authorizationCode: response.code, pkceCodeVerifier, redirectUri, ...more })
const { accessTokenResponse: granted } = await redeem(begun.pkce.codeVerifier)
report(granted.token_type === 'DPoP' && typeof granted.refresh_token === 'string', 'the code gives a bound access token and a refresh token')
const first = await claim(haip, granted, sdJwt, { clientId: attested.client_id })
report(copies(first).length === 1, 'with which a copy is claimed')
const attestKeys = async (keys, nonce) => (await attest({ keys: await Promise.all(keys.map(prover)), nonce })).key_attestation
const withProofs = async (proofs) => haip.vci.retrieveCredentials({ ...haip, credentialConfigurationId: sdJwt, accessToken: granted.access_token, proofs })
const kept = await newKeys(2)
const { credentialResponse: together } = await withProofs({ attestation: [await attestKeys(kept, await nonce(haip))] })
report(
  copies(together).every((text, place) => payload(text).cnf.jwk.x === kept[place].x) && copies(together).length === 2,
  'two keys proved by one key attestation give two copies',
)
const fresh = await nonce(haip)
const [single] = await newKeys(1)
const { jwt: proof } = await haip.vci.createCredentialRequestJwtProof({
  ...haip, credentialConfigurationId: sdJwt, signer: signer(single), nonce: fresh, clientId: attested.client_id, keyAttestationJwt: await attestKeys([single], fresh),
})
report(copies((await withProofs({ jwt: [proof] })).credentialResponse).length === 1, 'and so does their proof with a key attestation in its header')
says(await refusal(withProofs({ attestation: [await attestKeys([single], 'bm90LW91cnM')] })), '400 invalid_nonce', 'a key attestation with a nonce that is not ours')

// ── Refresh ──
const oauth = new Oauth2Client({ callbacks: callbacks({ clientAuthentication: authentication }) })
const renew = (refreshToken, dpop = haip.dpop) => oauth.retrieveRefreshTokenAccessToken({ authorizationServerMetadata, refreshToken, dpop })
says(await refusal(renew(granted.refresh_token, { signer: signer(await newKey()) })), '400 invalid_dpop_proof', 'a refresh with another DPoP key')
const { accessTokenResponse: renewed } = await renew(granted.refresh_token)
const more = await claim(haip, renewed, sdJwt, { count: 2, clientId: attested.client_id })
report(copies(more).length === 2 && renewed.refresh_token === undefined, 'a refresh token gives new copies, and goes on as it is')
const { accessTokenResponse: later } = await renew(granted.refresh_token)
report(copies(await claim(haip, later, sdJwt, { clientId: attested.client_id })).length === 1, 'so once more')
says(await refusal(redeem(begun.pkce.codeVerifier)), '400 invalid_grant', 'the authorization code again')
says(await refusal(claim(haip, renewed, sdJwt, { clientId: attested.client_id })), '401 invalid_token', 'which ends what it had given')

const stolen = await offer({ result: (await reported()).result, pre_authorized: false })
const victim = await withAttestation(stolen)
const other = await begin(victim, 'of-another')
const theirs = await (await browse(other.authorizationRequestUrl)).answer(stolen.tx_code.code)
const code = new URL(theirs.headers.get('location')).searchParams.get('code')
says(
  await refusal(victim.vci.retrieveAuthorizationCodeAccessTokenFromOffer({ ...victim, authorizationCode: code, pkceCodeVerifier: begun.pkce.codeVerifier, redirectUri })),
  '400 invalid_grant',
  'a code with the PKCE verifier of another session',
)

const held = async (credential, key) => ({ credential, key: await jose.exportJWK(privateKey(key)) })
writeFileSync(
  join(directory, 'claimed.json'),
  JSON.stringify({
    issuer: permitted.issuer,
    copies: await Promise.all(texts.map((credential, place) => held(credential, batch.keys[place]))),
    w3c: await held(copies(jwts)[0], jwts.keys[0]),
    revocable: { ...(await held(copies(first)[0], first.keys[0])), certificate: permittedResult.certificate },
  }),
)
end()
