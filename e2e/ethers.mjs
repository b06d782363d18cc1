// ethers 6 reads our ledger: chain, blocks, receipts, logs, contract calls.
// Usage: node ethers.mjs RPC-URL CHAIN-ID ISSUER-REGISTRY ANCHORS ISSUER-ACCOUNT CATEGORY
import { readFileSync } from 'node:fs'
import { Contract, JsonRpcProvider } from 'ethers'
import { end, report } from './lib.mjs'

const [url, chainId, registry, anchors, issuer, category] = process.argv.slice(2)
const artifact = (name) => JSON.parse(readFileSync(new URL(`../contracts/artifacts/${name}.json`, import.meta.url), 'utf8'))
const provider = new JsonRpcProvider(url, Number(chainId), { staticNetwork: true, polling: true })
report((await provider.send('eth_chainId', [])) === '0x' + Number(chainId).toString(16), 'eth_chainId')
const head = await provider.getBlockNumber()
report(head > 0, `head is block ${head}`)
const block = await provider.getBlock(head, true)
report(block.hash.length === 66 && (await provider.getBlock(block.hash)).number === head, 'a block by number and by hash')
const issuers = new Contract(registry, artifact('IssuerRegistry').abi, provider)
report(await issuers.mayIssue(issuer, category), `the registry says that ${issuer} may issue ${category}`)
report(!(await issuers.mayIssue(issuer, 'no-such-category')), 'and nothing it was not admitted for')
const approved = await issuers.queryFilter(issuers.filters.Approved(), 0, head)
report(approved.some((event) => event.args.participant.toLowerCase() === issuer.toLowerCase()), 'the Approved event is in the logs')
const receipt = await provider.getTransactionReceipt(approved[0].transactionHash)
report(receipt.status === 1 && receipt.blockNumber === approved[0].blockNumber, 'its receipt')
const anchored = new Contract(anchors, artifact('Anchors').abi, provider)
const events = await anchored.queryFilter(anchored.filters.Anchored(), 0, head)
report(events.length > 0, `${events.length} anchors`)
const [number, , size] = await anchored.anchored(events[0].args.root)
report(Number(number) === events[0].blockNumber && size === events[0].args.size, 'anchored() says the same as the event')
let reverted = false
try {
  await anchored.anchor.staticCall(events[0].args.root, 1, { from: issuer })
} catch (error) {
  reverted = error.revert?.name === 'NotAnchorer'
}
report(reverted, 'a stranger may not anchor: custom error NotAnchorer')
provider.destroy()
end()
