#!/usr/bin/env bash
# `./run demo` and `./run` as a newcomer runs them: every step of the demo gives what it must and nothing is left behind; a deployment is made and
# serves, its setup link makes the authority, and after a stop it serves again.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
home=$(mktemp -d)
server=
# A server that was started here is stopped in any case.
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$home"' EXIT
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

quiet() { "$@" >"$home/quiet" 2>&1 || { cat "$home/quiet"; return 1; }; }

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
line "offered" 'The laboratory offered .*OpenID4VCI'
line "a guessed code" 'guessed a code: refused\. The wallet claimed three copies'
line "the verifier and what for" 'asks +Danube Air, registered'
line "each value" 'birth_date +1987-05-14 \(can be left out\)'
line "what was agreed to" 'reads +family_name, result$'
line "the nosy airline" 'Refused before the traveller was asked'
line "all steps" '^All 23 steps gave what they must'
line "what next" '\./run +a deployment of your own'
holds "nothing is left behind" [ -z "$(ls -A "$home/tmp")" ]
TMPDIR=$home/tmp "$here/run" --json demo --home "$home/kept" >"$home/output" 2>"$home/errors"
holds "it ends with 0, in JSON" [ $? -eq 0 ]
line "JSON, all of it" '^\{.*"steps":\[\{.*\}$'
holds "the QR code is kept" [ -s "$home/kept/paper.svg" ]
holds "keys are private" [ "$(stat -c %a "$home/kept/keys/root.key")" = 600 ]
"$here/run" demo --home "$home/kept" >"$home/output" 2>"$home/errors"
holds "a deployment is not written over" [ $? -eq 4 ]

# What the environment configures is not for this deployment.
unset VIDIMUS_CONFIG
export VIDIMUS_HOME=$home/own
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export VIDIMUS_SERVER_LISTEN=127.0.0.1:$port
url=http://127.0.0.1:$port

# serves: starts `./run`, keeps its output, and waits until it is ready, at most a minute.
serves() {
  : >"$home/output"
  "$here/run" >"$home/output" 2>"$home/errors" &
  server=$!
  local look
  for look in $(seq 600); do
    curl -sf "$url/readyz" >"$home/ready" && return 0
    kill -0 "$server" 2>/dev/null || { echo "it ended at look $look"; return 1; }
    sleep 0.1
  done
  return 1
}
# stops: by its id; `./run` becomes the server, so that there is no other.
stops() {
  kill "$server"
  wait "$server"
  local status=$?
  server=
  return "$status"
}
# answers PATH WHAT…: what is there has this in it.
answers() { curl -sf "$url$1" | grep -- "$2" >/dev/null; }

"$here/run" setup-link >"$home/output" 2>"$home/errors"
holds "before the first start there is no deployment" [ $? -eq 6 ]
holds "./run serves" serves
holds "./run made a deployment" [ -s "$VIDIMUS_HOME/vidimus.toml" ]
holds "its root key is private" [ "$(stat -c %a "$VIDIMUS_HOME/keys/root.key")" = 600 ]
line "the address" "^Vidimus serves on $url "
line "the setup link" "^  vidimus setup --url $url "
line "the link's token" "with VIDIMUS_SETUP_TOKEN=vs_[0-9a-f]{64}\$"
line "the link for curl" "curl $url/v1/setup "
line "what to open next" "^  $url/openapi.json "
holds "the API is described there" answers /openapi.json '"openapi": *"3[.]1'
holds "what can be certified is told there" answers /v1/categories sars-cov-2-naat
token=$(grep -oE -m 1 'vs_[0-9a-f]{64}' "$home/output")
"$here/run" authority-key >"$home/answer" 2>&1
holds "before the link is used the operator has to act" [ $? -eq 6 ]
VIDIMUS_SETUP_TOKEN=$token "$here/run" setup --url "$url" --name "Test Authority" --country AT --save-api-key "$home/authority.key" >"$home/answer" 2>&1
holds "the setup link makes the authority" [ $? -eq 0 ]
holds "its API key is kept" grep -q '^vk_' "$home/authority.key"
holds "the log is whole" quiet "$here/run" audit verify --url "$url" --api-key-file "$home/authority.key"
holds "./run stops with 0" stops
holds "./run serves again" serves
line "the address, again" "^Vidimus serves on $url "
holds "there is no other setup link" [ "$(grep -c 'vs_' "$home/output")" -eq 0 ]
holds "the authority is known" quiet "$here/run" participant list --url "$url" --api-key-file "$home/authority.key"
holds "the operator's commands find the deployment" quiet "$here/run" authority-key --save-api-key "$home/second.key"
holds "./run stops again with 0" stops
holds "the registries can be read again" quiet "$here/run" rebuild
holds "its schema is of today" quiet "$here/run" migrate
# Where a person looks on, what takes long shows that it is at work.
if command -v script >/dev/null 2>&1; then
  TERM=xterm script -qec "$here/run rebuild" /dev/null >"$home/output" 2>&1
  line "a progress bar" 'reading blocks'
  script -qec "$here/run --json rebuild" /dev/null >"$home/output" 2>&1
  holds "none in JSON" [ "$(grep -c 'reading blocks' "$home/output")" -eq 0 ]
fi
holds "a reader that goes away is no failure" quiet bash -c "set -o pipefail; '$here/run' completions bash | head -n 1"
[ "$failed" -eq 0 ] || tail -n 5 "$home/errors"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
