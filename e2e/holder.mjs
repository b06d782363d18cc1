// Our wallet, `vidimus wallet`, with an issuer and a verifier that nobody here wrote (issuer.mjs, verifier.mjs).
// Usage: node holder.mjs BASE-URL DIRECTORY VIDIMUS-PROGRAM
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { client, end, report } from './lib.mjs'
import { certificate } from './oid4vc.mjs'
import * as issuing from './issuer.mjs'
import * as verifying from './verifier.mjs'

const [base, directory, program] = process.argv.slice(2)
const at = (name) => join(directory, name)
const others = JSON.parse(readFileSync(at('others.json'), 'utf8'))
const root = (await client(base).bytes('/v1/trust/root')).toString()
writeFileSync(at('root.pem'), root)
writeFileSync(at('passphrase'), 'a long passphrase of a test')
const authorityFile = at('trust/issuers/authority.pem')

/// Runs `vidimus wallet …`: its exit code, its answer, and what it said beside. `watch` sees that as it is said.
const wallet = (args, watch = () => {}) =>
  new Promise((done) => {
    const all = ['--json', 'wallet', '--wallet', at('holder.vidimus'), '--passphrase-file', at('passphrase'), '--loopback', ...args]
    const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let told = ''
    child.stdout.on('data', (part) => (out += part))
    child.stderr.on('data', (part) => watch((told += part)))
    child.on('close', (code) => {
      let answer
      try {
        answer = JSON.parse(out)
      } catch {
        answer = undefined
      }
      done({ code, answer, told })
    })
  })
const path = (seen) => seen.map(({ path }) => path)

await wallet(['new'])
const trusts = await wallet(['trust', base, '--root', at('root.pem')])
report(trusts.code === 0, 'our wallet trusts this deployment, which attests it')

// ── Their issuer ──
const issuer = await issuing.serve({ office: others.office, roots: [certificate(root)] })
const offered = await issuer.offer()
const looked = await wallet(['offer', offered.link, '--show'])
report(
  looked.code === 0 && looked.answer.offer.issuer === issuer.url && !path(issuer.seen).includes('/token'),
  'it reads their offer by reference and their metadata, and shows them',
)
const wrong = await wallet(['offer', offered.link, '--code', '000000'])
report(wrong.code !== 0 && issuer.seen.some(({ error }) => error === 'invalid_grant') && offered.kept.claimed === undefined, 'a wrong code gives nothing')
const claimed = await wallet(['offer', offered.link, '--code', offered.txCode, '--copies', '3'])
report(
  claimed.code === 0 && claimed.answer.claimed[0].copies === 3 && offered.kept.claimed === 3 && offered.kept.notified === 'credential_accepted',
  'pre-authorized code, DPoP, nonce, three proofs: three SD-JWT VCs are kept, and their issuer is notified',
)
const later = await issuer.offer({ later: true, byValue: true })
const waits = await wallet(['offer', later.link, '--code', later.txCode, '--copies', '1'])
report(waits.code === 0 && waits.answer.waiting === 1, 'an offer by value whose credential is still to come')
let came
for (let turn = 0; turn < 5 && !came?.answer?.claimed?.length; turn++) {
  await new Promise((wake) => setTimeout(wake, 1_100))
  came = await wallet(['refresh'])
}
report(came.answer?.claimed?.[0]?.copies === 1 && issuer.seen.filter(({ path }) => path === '/deferred').length === 2, 'is fetched when it is there')
const haip = await issuer.offer({ code: false })
let browsed
const permitted = await wallet(['offer', haip.link, '--haip', '--copies', '2'], (told) => {
  const address = /^ *(http\S+)$/m.exec(told)?.[1]
  if (address && !browsed) browsed = fetch(address).catch((error) => error)
})
report(
  permitted.code === 0 && permitted.answer.claimed[0].copies === 2 && path(issuer.seen).includes('/par'),
  'HAIP: PAR with PKCE and our attestation, which their server verifies; through the browser to two copies',
)
report(issuer.seen.every(({ status }) => status < 500), 'their issuer had no trouble with us')

// ── Their verifier ──
const verifier = await verifying.serve({ asker: others.airport, roots: [certificate(others.authority)] })
const query = (claims = [{ path: ['family_name'] }]) => ({
  credentials: [{ id: 'badge', format: 'dc+sd-jwt', meta: { vct_values: ['https://office.example/types/badge'] }, claims }],
})
const known = ['--authority', authorityFile, '--unregistered']
const answer = (link, ...more) => wallet(['request', link, ...known, ...more])
for (const how of [{}, { post: true }, { prefix: 'x509_san_dns' }, { mode: 'direct_post' }]) {
  const { one, link } = await verifier.ask(query(), how)
  const what = `${how.prefix ?? 'x509_hash'}, ${how.mode ?? 'direct_post.jwt'}, by ${how.post ? 'post' : 'get'}`
  const seen = await answer(link)
  const attribute = seen.answer?.consent?.credentials?.[0]?.attributes?.[0]
  report(seen.code === 0 && attribute?.value === 'Gößinger' && one.answered === undefined, `their request (${what}) is shown with what it would see`)
  const said = await answer(link, '--yes')
  const payload = one.answered?.shown?.badge?.[0]
  report(
    said.code === 0 && payload?.family_name === 'Gößinger' && payload.given_name === undefined && payload.level === undefined && one.answered.encrypted === (how.mode === undefined),
    'and with consent their verifier has that, and no more',
  )
  if (said.code !== 0) console.log(said.told)
}
const { one: again, link: twice } = await verifier.ask(query())
await answer(twice, '--yes')
const posts = verifier.seen.length
report((await answer(twice, '--yes')).code !== 0 && verifier.seen.slice(posts).every(({ path }) => path !== '/response') && again.answered !== undefined, 'a request is answered once')
const { one: refused, link: no } = await verifier.ask(query())
report((await answer(no, '--decline')).code === 0 && refused.answered.error === 'access_denied' && refused.answered.encrypted, 'a no is sent as `access_denied`, encrypted as a yes would be')

/// What our wallet does not answer, and what their verifier hears of it without the holder's yes: nothing.
const unanswered = async (what, request, ...args) => {
  const { one, link } = await request
  const said = await wallet(['request', link, ...args])
  report(said.code !== 0 && one.answered === undefined, `${what} is not answered`)
}
await unanswered('a verifier that no registry has', verifier.ask(query()), '--authority', authorityFile)
await unanswered('a verifier under an authority that is not trusted', verifier.ask(query()), '--unregistered')
await unanswered('an unencrypted response, where HAIP is insisted on,', verifier.ask(query(), { mode: 'direct_post' }), ...known, '--haip')
await unanswered('what the wallet does not have', verifier.ask(query([{ path: ['nationality'] }])), ...known)
await unanswered('another value than was asked for', verifier.ask(query([{ path: ['family_name'], values: ['Huber'] }])), ...known)
/// All that their verifier hears of a wallet whose registry does not have it, though the holder says yes to everything.
const heard = async (claims) => {
  const before = verifier.seen.length
  const { link } = await verifier.ask(query(claims))
  await wallet(['request', link, '--authority', authorityFile, '--yes'])
  return JSON.stringify(verifier.seen.slice(before))
}
const fetched = JSON.stringify([{ path: '/request', method: 'GET', status: 200 }])
for (const [what, claims] of [
  ['has', [{ path: ['family_name'] }]], ['does not have', [{ path: ['nationality'] }]], ['has with another value', [{ path: ['family_name'], values: ['Huber'] }]],
]) report((await heard(claims)) === fetched, `who is in no registry asks for what the wallet ${what}, and hears that its request was fetched`)
issuer.close()
verifier.close()
end()
