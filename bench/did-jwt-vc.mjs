// How many certificates a second did-jwt-vc verifies, with the issuer's keys at hand (no network in it).
// Standard input: {"jwt", "document", "now", "seconds"}. Standard output: operations a second.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(new URL('../e2e/package.json', import.meta.url))
const { verifyCredential } = await import(pathToFileURL(require.resolve('did-jwt-vc')))
const { jwt, document, now, seconds } = JSON.parse(readFileSync(0, 'utf8'))
const resolver = { resolve: async () => ({ didResolutionMetadata: {}, didDocumentMetadata: {}, didDocument: document }) }
const options = { policies: { now } }
for (let turn = 0; turn < 20; turn++) await verifyCredential(jwt, resolver, options)
const start = performance.now()
let count = 0
while (performance.now() - start < seconds * 1000) {
  if (!(await verifyCredential(jwt, resolver, options)).verified) throw new Error('not verified')
  count++
}
console.log((count * 1000) / (performance.now() - start))
