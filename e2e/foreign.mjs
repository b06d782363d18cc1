// What did-jwt-vc makes, we check. A laboratory that keeps its own keys is admitted by its card, announces its P-256 key in its did:ethr
// document itself, signs one of our prepared copies, and then signs certificates that Vidimus has never seen.
// Usage: node foreign.mjs BASE-URL FACTS.json DIRECTORY
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ES256KSigner, ES256Signer } from 'did-jwt'
import { createVerifiableCredentialJwt } from 'did-jwt-vc'
import { JsonRpcProvider, Signature, Transaction } from 'ethers'
import { base64url, card, client, end, newKeys, report, result, sign, until } from './lib.mjs'

const [base, file, directory] = process.argv.slice(2)
const facts = JSON.parse(readFileSync(file, 'utf8'))
const authority = client(base, facts.authorityKey)
const airline = client(base, facts.airlineKey)
const provider = new JsonRpcProvider(`${base}/rpc`, facts.chainId, { staticNetwork: true })

const keys = newKeys(facts.chainId)
const admitted = await authority.post('/v1/participants', {
  role: 'issuer', name: 'Klinik am Inn', country: 'AT', categories: [facts.category], card: card(keys),
})
const clinic = client(base, admitted.api_key)
report(admitted.participant.custody === 'own' && admitted.participant.did === keys.did, 'an issuer is admitted with its own keys')
await until('the ledger has the admission', async () => (await clinic.get('/v1/profile')).status === 'active')

for (const prepared of admitted.prepared) {
  const transaction = Transaction.from(prepared.unsigned)
  transaction.signature = Signature.from(keys.account.sign(transaction.unsignedHash))
  const right = prepared.from === keys.address && transaction.unsignedHash === prepared.signing_hash
  const { hash } = await clinic.post('/v1/transactions', { raw: transaction.serialized })
  const mined = await until(`transaction ${hash}`, () => provider.getTransactionReceipt(hash))
  report(right && mined.status === 1, `ethers reads, signs and brings the prepared transaction: ${prepared.summary}`)
}

const verdict = async (input) => {
  const answer = await airline.post('/v1/checks', { input, purpose: 'boarding' })
  return { ...answer, of: Object.fromEntries(answer.tests.map((test) => [test.test, test])) }
}
const says = (answer, test) => answer.of[test]?.outcome ?? 'absent'

const files = []
for (const algorithm of ['ES256K', 'ES256K-R', 'ES256']) {
  const holder = newKeys(facts.chainId)
  const made = await clinic.post('/v1/results', result(`K${algorithm}0001`, { card: card(holder), formats: ['vc-jwt-1.1'], algorithm }))
  const [copy] = made.copies
  const message = Buffer.from(copy.to_sign.message, 'base64url')
  const signature = base64url(sign(keys, algorithm, message))
  const signed = await clinic.post(`/v1/copies/${copy.id}/signature`, { signature })
  report(signed.copies[0].state === 'signed', `a copy prepared here and signed with ${algorithm} elsewhere is taken`)
  const ours = `${message}.${signature}`
  const name = `own-${algorithm.toLowerCase()}.jwt`
  files.push(name)
  writeFileSync(join(directory, name), ours)
  const known = await until('the anchor', async () => {
    const answer = await verdict(ours)
    return says(answer, 'receipt') === 'passed' && answer
  })
  // Undetermined, because a certificate alone does not say who shows it: that takes a presentation.
  const open = known.tests.filter((test) => !['passed', 'not_applicable'].includes(test.outcome)).map((test) => test.reason)
  report(
    known.verdict === 'undetermined' && known.issuer === 'Klinik am Inn' && open.join() === 'holder_binding_missing,counter_signature_missing',
    `all of its tests hold but ${open.join(', ')}`,
  )

  // The same statement under another id: made, serialised and signed by did-jwt-vc alone, anchored nowhere.
  const { iss, ...payload } = JSON.parse(Buffer.from(message.toString().split('.')[1], 'base64url'))
  payload.jti = `urn:uuid:${crypto.randomUUID()}`
  if (payload.vc.id) payload.vc.id = payload.jti
  const signer = algorithm === 'ES256' ? ES256Signer(keys.signing) : ES256KSigner(Buffer.from(keys.account.privateKey.slice(2), 'hex'), algorithm === 'ES256K-R')
  const theirs = await createVerifiableCredentialJwt(payload, { did: iss, signer, alg: algorithm })
  const answer = await verdict(theirs)
  const holds = ['syntax', 'signature', 'issuer', 'status', 'validity', 'acceptance'].every((test) => says(answer, test) === 'passed')
  report(
    holds && says(answer, 'receipt') === 'missing' && answer.verdict === 'undetermined' && answer.attributes.family_name === 'Musterfrau-Gößinger',
    `what did-jwt-vc signs with ${algorithm}: signature_ok, issuer_ok, status_ok, validity_ok; integrity and receipt missing, so ${answer.verdict}`,
  )
  if (!holds) console.log(JSON.stringify(answer.tests, null, 1))
  const [header, body, ending] = theirs.split('.')
  const changed = JSON.parse(Buffer.from(body, 'base64url'))
  changed.exp += 1
  const forged = await verdict([header, base64url(JSON.stringify(changed)), ending].join('.'))
  report(forged.verdict === 'invalid' && Object.keys(forged.attributes).length === 0, `and with a later expiry it is ${forged.verdict}, nothing in it is shown`)
  const stranger = newKeys(facts.chainId)
  const other = algorithm === 'ES256' ? ES256Signer(stranger.signing) : ES256KSigner(Buffer.from(stranger.account.privateKey.slice(2), 'hex'), algorithm === 'ES256K-R')
  const unknown = await verdict(await createVerifiableCredentialJwt(payload, { did: stranger.did, signer: other, alg: algorithm }))
  report(unknown.verdict === 'invalid', 'the same from an issuer that nobody admitted is invalid')
}
writeFileSync(join(directory, 'own.txt'), files.join('\n'))
provider.destroy()
end()
