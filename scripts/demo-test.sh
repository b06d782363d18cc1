#!/usr/bin/env bash
# `./run demo` as a newcomer runs it: every step gives what it must, and nothing is left behind.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
passed=0 failed=0

# line WHAT PATTERN: the demo's output has such a line.
line() {
  if grep -qE -- "$2" "$home/output"; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "missing: $1 (/$2/)"
  fi
}
# holds WHAT COMMAND…
holds() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "not so: $what"
  fi
}

mkdir "$home/tmp"
TMPDIR=$home/tmp "$here/run" demo >"$home/output" 2>"$home/errors"
holds "it ends with 0" [ $? -eq 0 ]
line "a deployment" '^ 1\. ✓ A deployment was made'
line "the authority" '✓ The one-time link made the authority'
line "admissions" '✓ The authority admitted a laboratory .* the ledger has both'
line "a DID without a server" 'DID +did:ethr:0x56494d:0x[0-9a-f]{40}'
line "issued and anchored" '✓ The laboratory reported .* anchored'
line "content ids" 'as VC-JWT +bafkrei'
line "received and counter-signed" '✓ The wallet fetched both .* counter-signed'
line "valid" 'verdict +VALID'
line "attributes" 'family_name +Achleitner-Sørby'
line "the forger" 'changed one byte.*: invalid'
line "the forger's reason" 'reason +The signature does not verify'
line "the thief" 'A thief .*: invalid'
line "the replay" 'shown a second time: refused'
line "offline" 'without a network .*: valid'
line "paper" 'A paper copy was drawn .* valid'
line "revoked, online" 'The airline checked once more: invalid'
line "revoked, offline" 'once it had a fresh bundle: invalid'
line "the reason of both" 'reason +The certificate was revoked'
line "all steps" '^All 18 steps gave what they must'
line "what next" '\./run +a deployment of your own'
holds "nothing is left behind" [ -z "$(ls -A "$home/tmp")" ]
TMPDIR=$home/tmp "$here/run" --json demo --home "$home/kept" >"$home/output" 2>"$home/errors"
holds "it ends with 0, in JSON" [ $? -eq 0 ]
line "JSON, all of it" '^\{.*"steps":\[\{.*\}$'
holds "the QR code is kept" [ -s "$home/kept/paper.svg" ]
holds "keys are private" [ "$(stat -c %a "$home/kept/keys/root.key")" = 600 ]
"$here/run" demo --home "$home/kept" >"$home/output" 2>"$home/errors"
holds "a deployment is not written over" [ $? -eq 4 ]
[ "$failed" -eq 0 ] || tail -n 5 "$home/errors"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
