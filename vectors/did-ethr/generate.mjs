// Makes the vectors beside it with npm `ethr-did-resolver`, whose documents ours are held to:
//   npm install ethr-did-resolver@11.1.3 did-resolver ethers@6 && node generate.mjs
// The resolver is the real one; its JSON-RPC provider answers from a list of events instead of a chain.
import { writeFileSync } from 'node:fs'
import { Resolver } from 'did-resolver'
import { AbiCoder, Interface, JsonRpcApiProvider, Network, toBeHex, zeroPadValue, zeroPadBytes, hexlify, toUtf8Bytes, computeAddress } from 'ethers'
import ethr from 'ethr-did-resolver'

const { getResolver, EthereumDIDRegistry } = ethr
const registry = '0x' + '1d'.repeat(20)
const abi = new Interface(EthereumDIDRegistry.abi)
const NOW = 1_800_000_000
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...a) { if (a.length) super(...a); else super(NOW * 1000) }
}

const account = (n) => '0x' + n.toString(16).padStart(2, '0').repeat(20)
const zero = account(0)
const block = (n) => NOW - 100_000 + n * 100
const LATER = NOW + 86_400
const bytes32 = (e) => e.nameHex ?? zeroPadBytes(toUtf8Bytes(e.name ?? e.delegateType), 32)

class Chain extends JsonRpcApiProvider {
  constructor(identity, events, chainId) {
    super(new Network('test', chainId), { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 })
    Object.assign(this, { identity, events, id: chainId })
    this._start()
  }
  async _send(payload) {
    const list = Array.isArray(payload) ? payload : [payload]
    return list.map(({ id, method, params }) => ({ id, result: this.answer(method, params) }))
  }
  answer(method, params) {
    if (method === 'eth_chainId') return toBeHex(this.id)
    if (method === 'eth_blockNumber') return toBeHex(1000)
    if (method === 'eth_call') {
      return AbiCoder.defaultAbiCoder().encode(['uint256'], [this.events.at(-1)?.block ?? 0])
    }
    if (method === 'eth_getLogs') {
      const at = Number(params[0].fromBlock)
      return this.events.filter((e) => e.block === at).map((e, i) => this.log(e, i))
    }
    if (method === 'eth_getBlockByNumber') {
      const n = Number(params[0])
      return { number: toBeHex(n), timestamp: toBeHex(block(n)), hash: zeroPadValue(toBeHex(n), 32), parentHash: zeroPadValue('0x00', 32), nonce: '0x0000000000000000', difficulty: '0x0', gasLimit: '0x1', gasUsed: '0x0', miner: zero, extraData: '0x', transactions: [], stateRoot: zeroPadValue('0x00', 32), receiptsRoot: zeroPadValue('0x00', 32) }
    }
    throw new Error(method)
  }
  log(e, index) {
    const args = {
      owner: () => ['DIDOwnerChanged', [this.identity, e.owner, e.previousChange]],
      delegate: () => ['DIDDelegateChanged', [this.identity, bytes32(e), e.delegate, e.validTo, e.previousChange]],
      attribute: () => ['DIDAttributeChanged', [this.identity, bytes32(e), e.value, e.validTo, e.previousChange]],
    }[e.type]()
    const { data, topics } = abi.encodeEventLog(...args)
    return { address: registry, topics, data, blockNumber: toBeHex(e.block), transactionHash: zeroPadValue(toBeHex(e.block), 32), transactionIndex: '0x0', blockHash: zeroPadValue(toBeHex(e.block), 32), logIndex: toBeHex(index), removed: false }
  }
}

const owner = (b, to) => ({ block: b, type: 'owner', owner: to })
const delegate = (b, delegateType, to, validTo = LATER) => ({ block: b, type: 'delegate', delegateType, delegate: to, validTo })
const attribute = (b, name, value, validTo = LATER) => ({ block: b, type: 'attribute', name, value, validTo })
const text = (t) => hexlify(toUtf8Bytes(t))

// Compressed generator of secp256k1: the key of the private key 1.
const one = '0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
// Uncompressed generator of P-256.
const p256 = '0x046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'
const key = (n) => '0x04' + n.toString(16).padStart(2, '0').repeat(64)
const k = '0x' + 'a1'.repeat(32)
const DID = 'did:ethr:0x56494d:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74'
const PUB = 'did:ethr:0x56494d:' + one

const cases = {
  'fresh': { did: DID, events: [] },
  'mainnet': { did: 'did:ethr:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74', chainId: 1, events: [delegate(3, 'veriKey', account(0xb2))] },
  'owner-changed': { did: DID, events: [owner(3, account(0xab)), owner(5, account(0xcd))] },
  'delegates': { did: DID, events: [delegate(2, 'veriKey', account(0xb1)), delegate(3, 'sigAuth', account(0xb2)), delegate(4, 'veriKey', account(0xb3), NOW - 1), delegate(5, 'enc', account(0xb4)), delegate(6, 'veriKey', account(0xb5))] },
  'delegate-revoked': { did: DID, events: [delegate(2, 'veriKey', account(0xb1)), delegate(3, 'sigAuth', account(0xb2)), delegate(4, 'veriKey', account(0xb1), block(4)), delegate(5, 'sigAuth', account(0xb6))] },
  'attribute-forms': { did: DID, events: [
    attribute(2, 'did/pub/Secp256k1/veriKey/hex', one), attribute(3, 'did/pub/Secp256k1/sigAuth/base64', one),
    attribute(4, 'did/pub/Ed25519/veriKey/base58', k), attribute(5, 'did/pub/Ed25519/sigAuth', k),
    attribute(6, 'did/pub/X25519/enc/base64', k), attribute(7, 'did/pub/RSA/veriKey/pem', text('-----BEGIN PUBLIC KEY-----\n…')),
    attribute(8, 'did/pub/RSA/veriKey/pem', '0xff00'), attribute(9, 'did/pub/Ed25519/veriKey/odd', k),
    attribute(10, 'did/pub/Secp256r1/veriKey/hex', p256), attribute(11, 'did/pub/Ed25519', k), attribute(12, 'did/pub/X25519/veriKey', k)] },
  'multikey': { did: DID, events: [attribute(2, 'did/pub/Multikey/veriKey/hex', p256), attribute(3, 'did/pub/Multikey/veriKey/base58', '0xed01' + 'a1'.repeat(32)), attribute(4, 'did/pub/Multikey/enc/hex', '0xec01' + 'a2'.repeat(32))] },
  'attribute-revoked': { did: DID, events: [attribute(2, 'did/pub/Multikey/veriKey/hex', p256), attribute(3, 'did/pub/Ed25519/sigAuth/hex', k), attribute(4, 'did/pub/Multikey/veriKey/hex', p256, 0), attribute(5, 'did/pub/Secp256k1/veriKey/hex', one)] },
  // An issuer's signing keys as they are rotated and revoked: each event counts, a number is never given again, and a key keeps its own.
  'signing-keys-rotated-and-revoked': { did: DID, events: [
    attribute(2, 'did/pub/Multikey/veriKey/hex', p256), attribute(3, 'did/pub/Multikey/veriKey/hex', key(2)), attribute(4, 'did/pub/Multikey/veriKey/hex', p256, 0),
    attribute(5, 'did/pub/Multikey/veriKey/hex', key(3)), attribute(6, 'did/pub/Multikey/veriKey/hex', p256, 0), attribute(7, 'did/svc/Gone', text('x'), 0),
    attribute(7, 'did/pub/Multikey/veriKey/hex', key(3), 0), delegate(8, 'veriKey', account(0xb1), 1), attribute(9, 'did/pub/Multikey/veriKey/hex', key(4)), attribute(10, 'did/svc/Hub', text('https://hub.example'))] },
  'attribute-set-again': { did: DID, events: [attribute(2, 'did/pub/Multikey/veriKey/hex', p256, NOW + 5), attribute(3, 'did/pub/Ed25519/veriKey/hex', k), attribute(4, 'did/pub/Multikey/veriKey/hex', p256, LATER)] },
  'attribute-revoked-and-set-again': { did: DID, events: [attribute(2, 'did/pub/Multikey/veriKey/hex', p256), attribute(3, 'did/pub/Ed25519/veriKey/hex', k), attribute(4, 'did/pub/Multikey/veriKey/hex', p256, 0), attribute(5, 'did/pub/Multikey/veriKey/hex', p256)] },
  'validity-ends': { did: DID, events: [attribute(2, 'did/pub/Ed25519/veriKey/hex', k, NOW), attribute(3, 'did/pub/Ed25519/veriKey/hex', '0x' + 'a2'.repeat(32), NOW - 1), delegate(4, 'veriKey', account(0xb1), NOW), delegate(5, 'sigAuth', account(0xb2), NOW - 1)] },
  'services': { did: DID, events: [attribute(2, 'did/svc/HubService', text('https://hub.example')), attribute(3, 'did/svc/Inbox', text('{"uri":"https://in.example","accept":["a","b"]}')), attribute(4, 'did/svc/Broken', '0xfffe'), attribute(5, 'did/svc/Gone', text('x')), attribute(6, 'did/svc/Gone', text('x'), 0), attribute(7, 'did/svc/List', text('["https://a.example","https://b.example"]')), attribute(8, 'did/svc/HubService', text('https://hub.example'), NOW - 1), attribute(9, 'did/svc/Last', text('didcomm:x'))] },
  'deactivated': { did: DID, events: [delegate(2, 'veriKey', account(0xb1)), owner(4, zero)] },
  'deactivated-then-noise': { did: DID, events: [owner(4, zero), delegate(6, 'veriKey', account(0xb1)), owner(8, account(0xab))] },
  'before-deactivation': { did: DID, versionId: 3, events: [delegate(2, 'veriKey', account(0xb1)), owner(4, zero)] },
  'public-key': { did: PUB, events: [attribute(2, 'did/pub/Multikey/veriKey/hex', p256)] },
  'public-key-owner-changed': { did: PUB, events: [owner(3, account(0xab))] },
  'public-key-owner-changed-back': { did: PUB, events: [owner(3, account(0xab)), owner(4, computeAddress(one))] },
  'version': { did: DID, versionId: 4, events: [delegate(2, 'veriKey', account(0xb1), block(3)), attribute(3, 'did/pub/Multikey/veriKey/hex', p256), delegate(4, 'sigAuth', account(0xb2), block(4) + 10), owner(6, account(0xab)), attribute(7, 'did/pub/Multikey/veriKey/hex', p256, 0)] },
  'version-before-any-change': { did: DID, versionId: 1, events: [owner(6, account(0xab))] },
  'one-block': { did: DID, events: [delegate(2, 'veriKey', account(0xb1)), attribute(5, 'did/pub/Ed25519/veriKey/hex', k), delegate(5, 'sigAuth', account(0xb2)), attribute(5, 'did/pub/Ed25519/veriKey/hex', k, 0), owner(7, account(0xab))] },
  'strange-names': { did: DID, events: [
    { block: 2, type: 'attribute', nameHex: '0x' + 'ff'.repeat(32), value: '0x01', validTo: LATER }, attribute(3, 'did/pub/Ed25519/veriKey/hex/x', k), attribute(4, 'did/pub/', k), attribute(5, 'did/key/Ed25519/veriKey', k),
    attribute(6, 'did/pub/Ed 25519/veriKey', k), attribute(7, 'did/pub/Ed25519/veriKey/', k), attribute(8, 'hello', k), attribute(9, 'did/pub/Ed 25519/veriKey', k, 0), attribute(10, 'did/pub/Ed25519/veriKey/hex', k), attribute(11, 'did/svc/A B', k, 0), attribute(12, 'did/svc/AB', text('c'))] },
  'encryption-key-revoked': { did: DID, divergence: 'the resolver leaves the id of a revoked key in keyAgreement, where it names nothing; we take it out with the key (DID Core 1.0 §5.3)', events: [attribute(2, 'did/pub/X25519/enc/base64', k), attribute(3, 'did/pub/X25519/enc/base64', k, 0)] },
}

for (const [name, { did, chainId = 0x56494d, versionId, divergence, events }] of Object.entries(cases)) {
  let previous = 0
  const list = events.map((e) => {
    const out = { block: e.block, time: block(e.block), previousChange: previous, ...e }
    previous = e.block
    return out
  })
  const identity = did.endsWith(one) ? computeAddress(one) : did.split(':').at(-1)
  const provider = new Chain(identity, list, chainId)
  const network = chainId === 1 ? { name: 'mainnet', chainId } : { name: '0x56494d', chainId }
  const resolver = new Resolver(getResolver({ networks: [{ ...network, registry, provider }] }))
  const { didDocument, didDocumentMetadata, didResolutionMetadata } = await resolver.resolve(versionId ? `${did}?versionId=${versionId}` : did)
  if (didResolutionMetadata.error) throw new Error(`${name}: ${JSON.stringify(didResolutionMetadata)}`)
  provider.destroy()
  if (divergence) delete didDocument.keyAgreement
  const vector = { did, now: NOW, ...(versionId ? { versionId, versionTime: block(versionId) } : {}), ...(divergence ? { divergence } : {}), events: list, expected: { didDocument, didDocumentMetadata } }
  writeFileSync(new URL(`${name}.json`, import.meta.url), JSON.stringify(vector, null, 2) + '\n')
}
