// Who lost a wallet claims again by an identity service: `oidc-provider`, unchanged, with verified claims; the wallet is that of @openid4vc.
// Usage: node identity.mjs BASE-URL FACTS.json PORT TRUST-DIRECTORY
// The deployment's configuration has the service at this port as `[identity]`.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Oauth2Client, clientAuthenticationClientAttestationJwt } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import * as jose from 'jose'
import Provider from 'oidc-provider'
import { client, end, report, result, until } from './lib.mjs'
import { callbacks, certificate, jwt, newKey, signer } from './oid4vc.mjs'

const [base, file, port, trust] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(file, 'utf8'))
const laboratory = client(base, facts.laboratoryKey)
const roots = [certificate((await client(base).bytes('/v1/trust/root')).toString())]
const scope = `${facts.category}.dc+sd-jwt`
const redirectUri = 'https://wallet.example/back'
const passport = `P${randomBytes(6).toString('hex').toUpperCase()}`
await laboratory.post('/v1/results', result(passport))

// ── The service ──
const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
const secret = { ...(await jose.exportJWK(privateKey)), kid: 'signing', alg: 'ES256', use: 'sig' }
mkdirSync(join(trust, 'identity'), { recursive: true })
writeFileSync(join(trust, 'identity', 'id.json'), JSON.stringify({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: 'signing' }] }))
/// The document that it has seen of whoever comes.
let document = { type: 'passport', document_number: passport, issuer: { country_code: 'AUT' } }
const asked = []
const service = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'vidimus', client_secret: 'of-the-tests', redirect_uris: [`${base}/identity-return`], grant_types: ['authorization_code'],
    response_types: ['code'], id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [secret] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  claims: { openid: ['sub'], verified_claims: null },
  features: { claimsParameter: { enabled: true }, devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({
      sub: accountId,
      verified_claims: {
        verification: { trust_framework: 'eidas', evidence: [{ type: 'document', document_details: document }] },
        claims: { birthdate: '1998-02-26' },
      },
    }),
  }),
  // Nobody is asked whether the claims may be given: the tests are.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid')
    grant.addOIDCClaims(['verified_claims'])
    await grant.save()
    return grant
  },
})
service.on('authorization.accepted', (ctx) => asked.push({ ...ctx.oidc.params }))
const handler = service.callback()
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return handler(request, response)
  return service.interactionFinished(request, response, { login: { accountId: 'traveller' } })
})
await new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve))

// ── A browser: a jar of cookies for each origin, none where a page of another site leads ──
const browser = () => {
  const jar = new Map()
  const go = async (url, init = {}) => {
    const { origin } = new URL(url)
    const cookies = jar.get(origin) ?? new Map()
    const headers = { ...(init.strict !== false && cookies.size > 0 && { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }) }
    const response = await fetch(url, { method: init.method, body: init.body, headers, redirect: 'manual' })
    for (const set of response.headers.getSetCookie()) {
      const [name, ...value] = set.split(';')[0].split('=')
      cookies.set(name, value.join('='))
    }
    jar.set(origin, cookies)
    return response
  }
  const form = async (response) => {
    const html = await response.text()
    const fields = Object.fromEntries([...html.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]))
    const action = /action="([^"]+)"/.exec(html)?.[1]
    return { html, fields, send: (more) => go(action, { method: 'POST', body: new URLSearchParams({ ...fields, ...more }) }) }
  }
  /// Follows what the service does until it leads to another origin.
  const identify = async (location) => {
    const { origin } = new URL(location)
    let at = location
    for (let step = 0; step < 10; step++) {
      const response = await go(at)
      at = new URL(response.headers.get('location') ?? '', at).href
      if (new URL(at).origin !== origin) return at
    }
    throw new Error('the service leads nowhere')
  }
  return { go, form, identify }
}

// ── The wallet ──
const prover = (jwk) => jwt({ typ: 'vidimus-attestation-request+jwt', jwk }, { aud: base, iat: Math.floor(Date.now() / 1000) }, jwk)
const attested = await client(base).post('/v1/wallet-attestations', { client: await prover(await newKey()) })
const clientAuthentication = clientAuthenticationClientAttestationJwt({ callbacks: callbacks(), clientAttestationJwt: attested.client_attestation })
const vci = new Openid4vciClient({ callbacks: callbacks({ roots, clientAuthentication }) })
const issuerMetadata = await vci.resolveIssuerMetadata(`${base}/issuers/${facts.laboratoryId}`)
const authorizationServerMetadata = issuerMetadata.authorizationServers[0]
const oauth = new Oauth2Client({ callbacks: callbacks({ clientAuthentication }) })
/// From the wallet to the page, to the service, and back to the page.
const come = async () => {
  const dpop = { signer: signer(await newKey()) }
  const begun = await oauth.createAuthorizationRequestUrl({
    authorizationServerMetadata, clientId: attested.client_id, redirectUri, scope, state: 'again', dpop, resource: issuerMetadata.credentialIssuer.credential_issuer,
  })
  const { go, form, identify } = browser()
  const page = await form(await go(begun.authorizationRequestUrl))
  const away = await page.send({ identity: 'yes' })
  const returned = await identify(away.headers.get('location'))
  const back = await form(await go(returned, { strict: false }))
  return { dpop, begun, page, returned, back }
}

const first = await come()
report(first.page.html.includes('Show who you are with the tests'), 'the page offers the identity service by its name')
const [request] = asked
const claims = JSON.parse(request.claims)
report(
  request.code_challenge_method === 'S256' && Number(request.max_age) === 300 && claims.id_token.verified_claims.verification.trust_framework.value === 'eidas',
  'oidc-provider accepts the request: PKCE, nonce, a fresh login, and verified claims by the rules that were asked for',
)
report(new URL(first.returned).origin === base, 'and sends the browser back')
report(first.back.html.includes('is asked who you are') && first.back.fields.page === first.page.fields.page, 'to the page that it left')
const codeOf = (answer) => answer.status === 303 && new URL(answer.headers.get('location')).searchParams.get('code')
// The service's key was written a moment ago, and the directory may not have been read again. Its codes count once, and a page has few tries: each
// time the wallet comes anew.
let journey = first
const allowed = await until('the service is trusted', async () => {
  const answer = await journey.back.send({})
  if (codeOf(answer)) return answer
  journey = await come()
})
const response = vci.parseAndVerifyAuthorizationResponseRedirectUrl({ url: allowed.headers.get('location'), authorizationServerMetadata })
report(response.state === 'again' && typeof response.code === 'string', 'whom it names is sent on to the wallet with a code')
const { accessTokenResponse: tokens } = await oauth.retrieveAuthorizationCodeAccessToken({
  authorizationServerMetadata, authorizationCode: response.code, pkceCodeVerifier: journey.begun.pkce.codeVerifier, redirectUri, dpop: journey.dpop,
})
const wallet = { issuerMetadata, accessToken: tokens.access_token, dpop: journey.dpop }
const key = await newKey()
const { c_nonce: nonce } = await vci.requestNonce({ issuerMetadata })
const { jwt: proof } = await vci.createCredentialRequestJwtProof({
  issuerMetadata, credentialConfigurationId: scope, signer: signer(key), nonce, clientId: attested.client_id,
})
const { credentialResponse } = await vci.retrieveCredentials({ ...wallet, credentialConfigurationId: scope, proofs: { jwt: [proof] } })
const payload = jose.decodeJwt(credentialResponse.credentials[0].credential.split('~')[0])
report(payload.cnf.jwk.x === key.x, 'and has a copy again, without the laboratory')

document = { type: 'passport', document_number: 'X0000000', issuer: { country_code: 'AUT' } }
const stranger = await (await come()).back.send({})
report(stranger.status === 200 && (await stranger.text()).includes('no valid certificate of yours'), 'a stranger with another document is told that there is none')

server.closeAllConnections()
server.close()
end()
