// Usage: node clients.cjs PACKAGE-JSON URL CHAIN-ID DID-REGISTRY HOLDER DELEGATE SECRET
const assert = require('node:assert/strict')
const { createRequire } = require('node:module')
const [packages, url, chainId, registry, holder, delegate, secret] = process.argv.slice(2)
const load = createRequire(packages)
const { ethers } = load('ethers')
const { Resolver } = load('did-resolver')
const { getResolver } = load('ethr-did-resolver')

async function main() {
  // Blocks come faster here than ethers forgets a nonce it asked for (250 ms).
  const provider = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1 })
  assert.equal((await provider.getNetwork()).chainId, BigInt(chainId))
  const head = await provider.getBlockNumber()
  const block = await provider.getBlock(head, true)
  assert.equal(block.hash, (await provider.getBlock(block.hash)).hash)
  assert.equal(block.prefetchedTransactions.length, 1)
  const logs = await provider.getLogs({ address: registry, fromBlock: 0, toBlock: 'latest' })
  assert.equal(logs.length, 7)

  // Fees, nonce and gas found by ethers itself; a contract made, called, and reverting.
  const wallet = new ethers.Wallet('0x' + secret, provider)
  const transfer = await wallet.sendTransaction({ to: holder, value: 1n })
  const receipt = await transfer.wait()
  assert.equal(receipt.status, 1)
  // Creation code that leaves `SSTORE(0, CALLDATALOAD(0)); LOG0(0, 0)` behind.
  const factory = new ethers.ContractFactory([], '0x600b80600b6000396000f3' + '60003560005560006000a0', wallet)
  const contract = await factory.deploy()
  await contract.waitForDeployment()
  const address = await contract.getAddress()
  assert.equal(await provider.getCode(address), '0x60003560005560006000a0')
  const call = await wallet.sendTransaction({ to: address, data: ethers.toBeHex(77, 32) })
  assert.equal((await call.wait()).logs.length, 1)
  assert.equal(BigInt(await provider.getStorage(address, 0)), 77n)
  const did = new ethers.Contract(registry, ['function identityOwner(address) view returns (address)', 'function changeOwner(address, address)', 'error BadActor(address identity, address actor)'], wallet)
  assert.equal((await did.identityOwner(holder)).toLowerCase(), holder)
  await assert.rejects(did.changeOwner.staticCall(holder, wallet.address), (error) => error.revert?.name === 'BadActor')
  await assert.rejects(did.changeOwner(holder, wallet.address), (error) => error.code === 'CALL_EXCEPTION')
  const proof = await provider.send('eth_getProof', [registry, ['0x0'], 'latest'])
  assert.equal(ethers.keccak256(proof.accountProof[0]), (await provider.getBlock('latest', false)).stateRoot)

  const name = '0x' + BigInt(chainId).toString(16)
  const resolver = new Resolver(getResolver({ networks: [{ name, chainId: BigInt(chainId), rpcUrl: url, registry }] }))
  const resolved = await resolver.resolve(`did:ethr:${name}:${holder}`)
  assert.equal(resolved.didResolutionMetadata.error, undefined, JSON.stringify(resolved.didResolutionMetadata))
  const document = resolved.didDocument
  assert.ok(document.service.some((service) => service.serviceEndpoint === 'https://hub.example'))
  const accounts = document.verificationMethod.map((method) => (method.blockchainAccountId ?? '').toLowerCase())
  assert.ok(accounts.some((account) => account.endsWith(delegate)), JSON.stringify(document))
  provider.destroy()
  // The last line is compared with the document that Vidimus makes of the same history.
  console.log('ethers and the resolver are content')
  console.log(JSON.stringify(document))
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1) })
