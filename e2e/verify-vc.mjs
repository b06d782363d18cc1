// did-jwt-vc verifies our VC-JWT 1.1 with keys that ethr-did-resolver reads from our ledger by JSON-RPC.
// Usage: node verify-vc.mjs RPC-URL CHAIN-ID REGISTRY JWT-FILE…; each must verify, and must not with one character changed.
import { readFileSync } from 'node:fs'
import { Resolver } from 'did-resolver'
import { getResolver } from 'ethr-did-resolver'
import { verifyCredential } from 'did-jwt-vc'
import { end, report } from './lib.mjs'

const [rpcUrl, chainId, registry, ...files] = process.argv.slice(2)
const name = '0x' + Number(chainId).toString(16)
const resolver = new Resolver(getResolver({ networks: [{ name, chainId: Number(chainId), rpcUrl, registry }] }))
for (const file of files) {
  const jwt = readFileSync(file, 'utf8').trim()
  const { alg, kid } = JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url').toString())
  try {
    const result = await verifyCredential(jwt, resolver)
    report(result.verified && result.issuer === result.payload.iss, `did-jwt-vc verifies ${alg}, issuer ${result.issuer}`)
  } catch (error) {
    report(false, `did-jwt-vc refuses ${alg}: ${error.message}`)
  }
  // did-jwt tries all keys of the issuer; others take the one that is named.
  const { didDocument } = await resolver.resolve(kid.split('#')[0])
  report(didDocument.assertionMethod.includes(kid), `${kid.split('#')[1]} of ${alg} is a key of the issuer's DID document`)
  const [header, payload, signature] = jwt.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  claims.exp += 1
  const forged = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
  let refused = false
  try {
    await verifyCredential(forged, resolver)
  } catch {
    refused = true
  }
  report(refused, `did-jwt-vc refuses ${alg} with a later expiry`)
}
end()
