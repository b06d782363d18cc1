// Sets a deployment up over HTTP and issues what the other clients look at.
// Usage: node issue.mjs BASE-URL SETUP-TOKEN DIRECTORY
// Writes into DIRECTORY: facts.json, one JWT for each signature algorithm, hcert.txt, signer.pem.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JsonRpcProvider } from 'ethers'
import { decryptSafely } from '@metamask/eth-sig-util'
import { card, client, end, newKeys, report, result, until } from './lib.mjs'

const [base, token, directory] = process.argv.slice(2)
const provider = new JsonRpcProvider(`${base}/rpc`, undefined, { batchMaxCount: 1 })
const chainId = Number((await provider.getNetwork()).chainId)
const setup = await client(base).post('/v1/setup', { token, name: 'Ministry of Health', country: 'AT' })
const authority = client(base, setup.api_key)

const admit = async (admission) => {
  const made = await authority.post('/v1/participants', { country: 'AT', ...admission })
  const own = client(base, made.api_key)
  const profile = await until('the ledger has the admission', async () => {
    const profile = await own.get('/v1/profile')
    return profile.status === 'active' && profile
  })
  return { made, own, profile }
}
const category = 'sars-cov-2-naat'
const laboratory = await admit({ role: 'issuer', name: 'Labor Donauraum GmbH', categories: [category] })
const airline = await admit({
  role: 'verifier',
  name: 'Danube Air',
  url: 'https://danube-air.example',
  attributes: ['family_name', 'given_name', 'birth_date', 'result'],
  purposes: ['boarding'],
})
const [approval, announcement] = laboratory.made.transactions
const to = async (hash) =>
  (await until(`transaction ${hash}`, async () => {
    const receipt = await provider.getTransactionReceipt(hash)
    return receipt?.status === 1 && receipt
  })).to

const holder = newKeys(chainId)
const files = {}
for (const algorithm of ['ES256K', 'ES256K-R', 'ES256']) {
  const made = await laboratory.own.post(
    '/v1/results',
    result(`P${algorithm}0001`, { card: card(holder), formats: ['vc-jwt-1.1'], algorithm, envelope: 'eip1098', wait: true }),
  )
  const sealed = JSON.parse((await client(base).bytes(`/ipfs/${made.copies[0].content_id}`)).toString())
  const envelope = JSON.parse(decryptSafely({ encryptedData: sealed, privateKey: holder.sealing.toString('hex') }))
  report(envelope.copy.split('.').length === 3 && envelope.salt.length === 64, `eth-sig-util opens our EIP-1098 envelope with the ${algorithm} copy`)
  files[algorithm] = `${algorithm.toLowerCase()}.jwt`
  writeFileSync(join(directory, files[algorithm]), envelope.copy)
}
const paper = await laboratory.own.post('/v1/results', result('PHCERT0001', { formats: ['hcert'], wait: true }))
const text = (await laboratory.own.bytes(`/v1/copies/${paper.copies[0].id}/paper?form=text`)).toString()
writeFileSync(join(directory, 'hcert.txt'), text)
const der = laboratory.profile.keys.find((key) => key.purpose === 'signing').certificate
writeFileSync(join(directory, 'signer.pem'), `-----BEGIN CERTIFICATE-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`)
const receipt = await client(base).get(`/v1/receipts/${paper.copies[0].commitment}`)
writeFileSync(
  join(directory, 'facts.json'),
  JSON.stringify({
    chainId,
    category,
    registry: await to(approval),
    dids: await to(announcement),
    anchors: receipt.anchor.contract,
    laboratory: laboratory.profile.account,
    laboratoryId: laboratory.made.participant.id,
    laboratoryKey: laboratory.made.api_key,
    authorityKey: setup.api_key,
    airlineKey: airline.made.api_key,
    jwts: Object.values(files),
  }),
)
provider.destroy()
end()
