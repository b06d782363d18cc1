// An issuer made of Veramo, as its documentation puts one together: keys and identifiers in memory, a did:key of secp256k1, W3C credentials as
// JWT. It answers POST /issue with a signed credential and keeps nothing. Standard output: its address.
import { createServer } from 'node:http'
import { createAgent } from '@veramo/core'
import { CredentialProviderJWT } from '@veramo/credential-jwt'
import { CredentialPlugin } from '@veramo/credential-w3c'
import { DIDManager, MemoryDIDStore } from '@veramo/did-manager'
import { KeyDIDProvider, getDidKeyResolver } from '@veramo/did-provider-key'
import { DIDResolverPlugin } from '@veramo/did-resolver'
import { KeyManager, MemoryKeyStore, MemoryPrivateKeyStore } from '@veramo/key-manager'
import { KeyManagementSystem } from '@veramo/kms-local'
import { Resolver } from 'did-resolver'

const agent = createAgent({
  plugins: [
    new KeyManager({ store: new MemoryKeyStore(), kms: { local: new KeyManagementSystem(new MemoryPrivateKeyStore()) } }),
    new DIDManager({ store: new MemoryDIDStore(), defaultProvider: 'did:key', providers: { 'did:key': new KeyDIDProvider({ defaultKms: 'local' }) } }),
    new DIDResolverPlugin({ resolver: new Resolver(getDidKeyResolver()) }),
    new CredentialPlugin([new CredentialProviderJWT()]),
  ],
})
const issuer = await agent.didManagerCreate({ options: { keyType: 'Secp256k1' } })

async function issue(body) {
  const { claims: report } = JSON.parse(body)
  const credential = await agent.createVerifiableCredential({
    credential: {
      issuer: { id: issuer.did },
      credentialSubject: { ...report.person, category: report.category, ...report.claims },
    },
    proofFormat: 'jwt',
  })
  return JSON.stringify(credential)
}

const server = createServer((request, answer) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', async () => {
    try {
      const made = await issue(Buffer.concat(parts).toString())
      answer.writeHead(201, { 'content-type': 'application/json' }).end(made)
    } catch (error) {
      answer.writeHead(500).end(String(error))
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
