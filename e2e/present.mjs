// The wallet of @openid4vc/openid4vp presents to our verifier: what wallet.mjs claimed here, and SD-JWT VCs of others that @sd-jwt and PyPI
// sd-jwt made. What is shown is put together by @sd-jwt.
// Usage: node present.mjs BASE-URL FACTS.json DIRECTORY
import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { ES256Signer, verifyJWS } from 'did-jwt'
import { createVerifiablePresentationJwt } from 'did-jwt-vc'
import { Resolver } from 'did-resolver'
import { getResolver } from 'ethr-did-resolver'
import * as jose from 'jose'
import { oid4vp } from '@digitalbazaar/oid4-client'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { createHeaderAndPayload, StatusList } from '@sd-jwt/jwt-status-list'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { base64url, client, end, report, until } from './lib.mjs'
import { callbacks, certificate } from './oid4vc.mjs'

const [base, file, directory] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(file, 'utf8'))
const read = (name) => JSON.parse(readFileSync(join(directory, name), 'utf8'))
const claimed = read('claimed.json').copies
const others = read('others.json')
const airline = client(base, facts.airlineKey)
const roots = [certificate((await client(base).bytes('/v1/trust/root')).toString())]
const name = `0x${facts.chainId.toString(16)}`
const resolver = new Resolver(getResolver({ networks: [{ name, chainId: facts.chainId, rpcUrl: `${base}/rpc`, registry: facts.dids }] }))

// Who is named by a DID is verified by did-jwt with what the ledger says of it.
const own = callbacks({ roots })
const verifyJwt = async (signer, jwt) => {
  if (signer.method !== 'did') return own.verifyJwt(signer, jwt)
  const { didDocument } = await resolver.resolve(signer.didUrl.split('#')[0])
  const key = didDocument.verificationMethod.find(({ id }) => id === signer.didUrl)
  verifyJWS(jwt.compact, key)
  return { verified: true, signerJwk: { kty: 'EC', crv: 'secp256k1' } }
}
const wallet = new Openid4vpClient({ callbacks: { ...own, verifyJwt } })

const hasher = (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest()
const kbSigner = (key) => async (message) => {
  const [header, payload] = message.split('.')
  const sign = new jose.FlattenedSign(Buffer.from(payload, 'base64url')).setProtectedHeader(JSON.parse(Buffer.from(header, 'base64url')))
  return (await sign.sign(await jose.importJWK(key, 'ES256'))).signature
}
/// What a holder shows of a copy, bound to the request that it answers.
const show = (copy, frame, request, more = {}) =>
  new SDJwtVcInstance({ hasher, hashAlg: 'sha-256', saltGenerator: (length) => randomBytes(length).toString('base64url'), kbSigner: kbSigner(more.key ?? copy.key), kbSignAlg: 'ES256' })
    .present(copy.credential, frame, { kb: { payload: { iat: Math.floor(Date.now() / 1000), nonce: request.nonce, aud: request.client_id, ...more.payload } } })

const ask = (more) => airline.post('/v1/presentations', { purpose: 'boarding', credentials: [{ category: facts.category, attributes: ['family_name', 'result'] }], ...more })
const open = async (view, formats = { 'dc+sd-jwt': {} }) => {
  const { params } = wallet.parseOpenid4vpAuthorizationRequest({ authorizationRequest: view.link })
  return wallet.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params, wallet: { metadata: { vp_formats_supported: formats } } })
}
const jarm = {
  encryption: {},
  serverMetadata: {
    authorization_signing_alg_values_supported: [],
    authorization_encryption_alg_values_supported: ['ECDH-ES'],
    authorization_encryption_enc_values_supported: ['A256GCM', 'A128GCM'],
  },
}
/// Sends a response, and gives the HTTP answer of our verifier.
const answer = async ({ authorizationRequestPayload }, vpToken) => {
  const encrypted = authorizationRequestPayload.response_mode === 'direct_post.jwt'
  const made = await wallet.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload, authorizationResponsePayload: { vp_token: vpToken }, ...(encrypted && { jarm }),
  })
  const sent = await wallet.submitOpenid4vpAuthorizationResponse({ ...made, authorizationRequestPayload })
  return { status: sent.response.status, body: await sent.response.json().catch(() => ({})) }
}
const told = (view) => airline.get(`/v1/presentations/${view.id}`)
const only = (request) => request.dcql.query.credentials[0].id
const frame = { family_name: true, claims: { result: true } }
const shown = JSON.stringify({ family_name: 'Musterfrau-Gößinger', result: '260415000' })
const attributes = (answered) => JSON.stringify(answered.answer?.credentials?.[0]?.attributes)
const failing = (answered) =>
  answered.answer?.credentials?.flatMap(({ tests }) => tests.filter(({ outcome }) => !['passed', 'not_applicable'].includes(outcome)).map(({ reason }) => reason)).join() ??
  JSON.stringify(answered)

// ── Each way in which we ask ──
const ways = [
  ['x509_hash', 'direct_post.jwt', {}],
  ['x509_hash', 'direct_post.jwt', { post: true }],
  ['x509_hash', 'direct_post', { unencrypted: true }],
  ['x509_san_dns', 'direct_post.jwt', { client: 'x509_san_dns' }],
  ['decentralized_identifier', 'direct_post.jwt', { client: 'decentralized_identifier' }],
]
for (const [prefix, mode, how] of ways) {
  const view = await ask(how)
  const request = await open(view)
  const { authorizationRequestPayload: payload } = request
  report(
    request.client.prefix === prefix && payload.response_mode === mode && request.jar !== undefined,
    `their wallet reads our signed request by ${how.post ? 'post' : 'get'}: ${prefix}, ${mode}`,
  )
  const sent = await answer(request, { [only(request)]: [await show(claimed[0], frame, payload)] })
  const answered = await told(view)
  report(
    sent.status === 200 && answered.state === 'answered' && answered.answer.verdict === 'valid' && attributes(answered) === shown,
    `what it shows is ${answered.answer?.verdict}, and we read what we asked for`,
  )
  if (answered.answer?.verdict !== 'valid') console.log(sent, failing(answered))
}
// ── Another wallet: @digitalbazaar/oid4-client ──
const pem = roots.map((root) => root.toString())
const elsewhere = await ask({ client: 'x509_san_dns' })
const { authorizationRequest } = await oid4vp.authzRequest.get({ url: elsewhere.link, getTrustedCertificates: () => pem })
report(authorizationRequest.client_id === 'x509_san_dns:localhost', `oid4-client reads our signed request of ${authorizationRequest.client_id}, by this deployment's root`)
const { result: thanks } = await oid4vp.authzResponse.send({
  authorizationRequest, vpToken: { c0: [await show(claimed[2], frame, authorizationRequest)] }, vpTokenMediaType: 'application/json',
})
const heard = await told(elsewhere)
report(thanks !== undefined && heard.answer?.verdict === 'valid' && attributes(heard) === shown, `and its encrypted response is ${heard.answer?.verdict}`)

// ── A W3C credential, shown whole, in a presentation that did-jwt-vc makes ──
const authority = client(base, facts.authorityKey)
const { items: categories } = await airline.get('/v1/categories')
const names = await Promise.all(categories.map(async ({ id }) => (await airline.get(`/v1/categories/${id}`)).attributes))
const everything = [...new Set(names.flat())]
const admitted = await authority.post('/v1/participants', {
  role: 'verifier', name: 'Border Office', country: 'AT', url: 'https://border.example', attributes: everything, purposes: ['entry'],
})
const border = client(base, admitted.api_key)
await until('the ledger has the admission', async () => (await border.get('/v1/profile')).status === 'active')
const { w3c } = read('claimed.json')
const holder = JSON.parse(Buffer.from(w3c.credential.split('.')[1], 'base64url')).sub
const whole = { credentials: [{ id: 'w', format: 'jwt_vc_json', meta: { type_values: [[`${base}/contexts/certificate/v1#VidimusCertificate`]] } }] }
const wholly = async (dcql_query, key) => {
  const view = await border.post('/v1/presentations', { purpose: 'entry', dcql_query })
  const request = await open(view, { jwt_vc_json: {} })
  const { nonce, client_id } = request.authorizationRequestPayload
  const signer = { did: holder, signer: ES256Signer(Buffer.from(key.d, 'base64url')), alg: 'ES256' }
  // did-jwt-vc writes no time: the nonce says which request it answers.
  const payload = { nonce, vp: { '@context': ['https://www.w3.org/2018/credentials/v1'], type: ['VerifiablePresentation'], verifiableCredential: [w3c.credential] } }
  const presentation = await createVerifiablePresentationJwt(payload, signer, { challenge: nonce, domain: client_id, header: { kid: `${holder}#0` } })
  await answer(request, { [only(request)]: [presentation] })
  return border.get(`/v1/presentations/${view.id}`)
}
const all = await wholly(whole, w3c.key)
report(
  all.state === 'answered' && failing(all) === 'counter_signature_missing' && all.answer.credentials[0].attributes.testing_centre === 'Labor Donauraum GmbH',
  `jwt_vc_json in a presentation by did-jwt-vc, its holder a did:jwk: all of its tests hold but ${failing(all)}`,
)
const byOther = await wholly(whole, claimed[0].key)
report(byOther.wrong_answers === 1 && byOther.answer.credentials === undefined, 'and signed by somebody else it is not read')
const tooMuch = await ask({ credentials: undefined, dcql_query: whole }).catch((error) => error.message)
report(/: 403 /.test(tooMuch), 'who is not registered for all of its attributes does not ask for it')

// ── What may be left out ──
const choosy = await ask({
  credentials: [
    { category: facts.category, attributes: ['result'], optional: ['family_name'] },
    { category: 'sars-cov-2-vaccination', attributes: ['family_name'], required: false },
  ],
})
const choice = await open(choosy)
report(
  choice.dcql.query.credentials[0].claim_sets.length === 2 && choice.dcql.query.credential_sets.map(({ required = true }) => required).join() === 'true,false',
  'their wallet reads claim sets and credential sets of our query',
)
await answer(choice, { c0: [await show(claimed[1], { claims: { result: true } }, choice.authorizationRequestPayload)] })
const chosen = await told(choosy)
report(chosen.answer?.verdict === 'valid' && attributes(chosen) === JSON.stringify({ result: '260415000' }), 'and shows what is needed alone')

// ── On one device: the answer is read by whoever comes back ──
const here = await ask({ return_uri: 'https://danube-air.example/back' })
const there = await open(here)
const gone = await answer(there, { [only(there)]: [await show(claimed[1], frame, there.authorizationRequestPayload)] })
const code = new URL(gone.body.redirect_uri).searchParams.get('response_code')
report((await told(here)).answer === undefined, 'on one device the answer is not read before the browser is back')
const confirmed = await airline.post(`/v1/presentations/${here.id}/confirmation`, { response_code: code, session: here.session })
report(confirmed.answer.verdict === 'valid', 'and is, with the code of the address that their wallet was sent to')

// ── What the holder authorises ──
const payment = { type: 'urn:vidimus:payment', credential_ids: ['c0'], amount: '12.00', currency: 'EUR' }
const buying = await ask({ transaction_data: [payment] })
const bought = await open(buying)
const hashes = bought.transactionData.map(({ encoded }) => createHash('sha256').update(encoded).digest('base64url'))
report(bought.transactionData[0].transactionData.amount === '12.00', 'their wallet reads our transaction data')
await answer(bought, { c0: [await show(claimed[0], frame, bought.authorizationRequestPayload, { payload: { transaction_data_hashes: hashes, transaction_data_hashes_alg: 'sha-256' } })] })
report((await told(buying)).answer.transaction_data === 'authorised', 'and its hash in the key binding authorises it')
const unread = await ask({ transaction_data: [payment] })
const ignored = await open(unread)
await answer(ignored, { c0: [await show(claimed[0], frame, ignored.authorizationRequestPayload)] })
report((await told(unread)).answer.error === 'transaction_data', 'without it nothing is authorised')

// ── Declined, and answered as it must not be ──
const declined = await ask({})
const no = await open(declined)
const response = await wallet.createOpenid4vpAuthorizationResponse({ authorizationRequestPayload: no.authorizationRequestPayload, authorizationResponsePayload: { error: 'access_denied' }, jarm })
await wallet.submitOpenid4vpAuthorizationResponse({ ...response, authorizationRequestPayload: no.authorizationRequestPayload })
report((await told(declined)).state === 'declined', 'their wallet declines, and we say so')

/// One request, answered in a wrong way: what came of it.
const wrongly = async (make) => {
  const view = await ask({})
  const request = await open(view)
  const sent = await answer(request, await make(request.authorizationRequestPayload, only(request)))
  const { state, answer: outcome } = await told(view)
  return { status: sent.status, state, verdict: outcome?.verdict, read: Object.keys(outcome?.credentials?.[0]?.attributes ?? {}) }
}
const { privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
const stranger = await jose.exportJWK(privateKey)
const wrong = [
  ['with a key that is not the holder\'s', async (request, id) => ({ [id]: [await show(claimed[0], frame, request, { key: stranger })] })],
  ['for another nonce', async (request, id) => ({ [id]: [await show(claimed[0], frame, { ...request, nonce: 'another' })] })],
  ['for another verifier', async (request, id) => ({ [id]: [await show(claimed[0], frame, { ...request, client_id: 'x509_hash:another' })] })],
  ['without what was asked for', async (request, id) => ({ [id]: [await show(claimed[0], { family_name: true }, request)] })],
  ['without a key binding', async (request, id) => ({ [id]: [claimed[0].credential] })],
  ['under another id', async (request) => ({ other: [await show(claimed[0], frame, request)] })],
  ['twice', async (request, id) => ({ [id]: [await show(claimed[0], frame, request), await show(claimed[1], frame, request)] })],
]
for (const [what, make] of wrong) {
  const outcome = await wrongly(make)
  report(outcome.verdict !== 'valid' && outcome.state === 'fetched' && outcome.status === 400 && outcome.read.length === 0, `shown ${what}: ${outcome.status}, ${outcome.state}, nothing is read`)
}
const patient = await ask({})
const spoiled = await open(patient)
const tries = []
for (let n = 0; n < 4; n++) tries.push((await answer(spoiled, { [only(spoiled)]: [await show(claimed[0], { family_name: true }, spoiled.authorizationRequestPayload)] })).status)
await answer(spoiled, { [only(spoiled)]: [await show(claimed[1], frame, spoiled.authorizationRequestPayload)] })
const mended = await told(patient)
report(tries.join() === '400,400,400,400' && mended.answer?.verdict === 'valid' && mended.wrong_answers === 4, 'a right answer after four wrong ones is taken')
const once = await ask({})
const first = await open(once)
const vpToken = { [only(first)]: [await show(claimed[2], frame, first.authorizationRequestPayload)] }
await answer(first, vpToken)
const second = await answer(first, vpToken)
report(second.status === 404 && (await told(once)).answer.verdict === 'valid', `a request is answered once: then ${second.status}`)
const nosy = await ask({ credentials: [{ category: facts.category, attributes: ['testing_centre'] }] }).catch((error) => error.message)
report(/: 403 /.test(nosy), 'what the verifier is not registered for is not asked of any wallet')

// ── SD-JWT VCs of others ──
const now = Math.floor(Date.now() / 1000)
const kept = await jose.generateKeyPair('ES256', { extractable: true })
const key = await jose.exportJWK(kept.privateKey)
const issue = (issuer, header, more = {}) =>
  new SDJwtVcInstance({ hasher, hashAlg: 'sha-256', saltGenerator: (length) => randomBytes(length).toString('base64url'), signAlg: 'ES256', signer: kbSigner(issuer.key) }).issue(
    { iss: 'https://office.example', iat: now, exp: now + 3600, vct: 'https://office.example/types/badge', cnf: { jwk: publicOf(key) }, family_name: 'Gößinger', level: 3, ...more },
    { _sd: ['family_name', 'level'], _sdDecoy: 2 },
    { header },
  )
function publicOf({ kty, crv, x, y }) {
  return { kty, crv, x, y }
}
const badge = { vct: 'https://office.example/types/badge', credential: await issue(others.office, { x5c: others.office.chain }), key }
const forged = { ...badge, credential: await issue({ key: stranger }, { x5c: others.office.chain }) }
const self = { ...badge, credential: await issue({ key: stranger }, {}) }
const foreign = async (copy) => {
  const view = await ask({ credentials: undefined, dcql_query: { credentials: [{ id: 'f', format: 'dc+sd-jwt', meta: { vct_values: [copy.vct] }, claims: [{ path: ['family_name'] }] }] } })
  const request = await open(view)
  await answer(request, { f: [await show(copy, { family_name: true }, request.authorizationRequestPayload)] })
  return told(view)
}
for (const [what, copy] of [["@sd-jwt's, by a chain to an authority that is trusted", badge], ["PyPI sd-jwt's, by its issuer's trusted key", others.resident]]) {
  const answered = await foreign(copy)
  report(answered.answer?.verdict === 'valid' && attributes(answered) === JSON.stringify({ family_name: 'Gößinger' }), `an SD-JWT VC of others, ${what}: ${answered.answer?.verdict}`)
}
for (const [what, copy] of [['signed by somebody else', forged], ['of an issuer that nobody trusts', self]]) {
  const answered = await foreign(copy)
  report(answered.answer?.verdict === 'invalid' && attributes(answered) === '{}', `one ${what}: ${answered.answer?.verdict ?? answered.state}`)
}

// ── Their status, by a list that @sd-jwt makes and the office signs ──
const lists = createServer((asked, answer) => (asked.url === '/1' ? answer.writeHead(200, { 'content-type': 'application/statuslist+jwt' }).end(list) : answer.writeHead(404).end()))
await new Promise((done) => lists.listen(0, '127.0.0.1', done))
const uri = `http://127.0.0.1:${lists.address().port}/1`
const made = createHeaderAndPayload(
  new StatusList(Array.from({ length: 1000 }, (_, place) => Number(place === 8)), 1),
  { iss: 'https://office.example', sub: uri, iat: now, exp: now + 3600, ttl: 300 },
  { alg: 'ES256', x5c: others.office.chain },
)
const list = await new jose.SignJWT(made.payload).setProtectedHeader(made.header).sign(await jose.importJWK(others.office.key, 'ES256'))
for (const [what, place, verdict] of [['in force', { idx: 7, uri }, 'valid'], ['revoked', { idx: 8, uri }, 'invalid'], ['in a list that does not come', { idx: 7, uri: `${uri}0` }, 'undetermined']]) {
  const copy = { ...badge, credential: await issue(others.office, { x5c: others.office.chain }, { status: { status_list: place } }) }
  const answered = await foreign(copy)
  report(answered.answer?.verdict === verdict, `one that is ${what} by @sd-jwt's status list: ${answered.answer?.verdict ?? answered.state}`)
}
lists.close()

// ── Suspended ──
const lastly = await border.post('/v1/presentations', { purpose: 'entry', dcql_query: whole })
await authority.post(`/v1/participants/${admitted.participant.id}/suspend`, { reason: 'accreditation-lost' })
await until('the ledger has the suspension', async () => (await fetch(`${base}/presentations/${lastly.id}/request`)).status === 404)
const unheard = await open(lastly, { jwt_vc_json: {} }).then(() => 'read', () => 'not read')
report(unheard === 'not read', 'the request of a verifier that was suspended meanwhile is not read by any wallet')
const answerOf = await border.get(`/v1/presentations/${lastly.id}`).catch((error) => error.message)
report(/: 403 /.test(answerOf), 'nor what was answered by the verifier')
end()
