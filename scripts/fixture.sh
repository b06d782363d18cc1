#!/usr/bin/env bash
# Makes a fixture of the present release: a data directory and certificates, which every later release must open, migrate and check.
#   scripts/fixture.sh NAME        writes tests/fixtures/NAME and vectors/keys/TEST-NAME-root.key; refuses to write over one
set -euo pipefail
name=${1:?which name, such as 0.1.0}
here=$(cd "$(dirname "$0")/.." && pwd)
to=$here/tests/fixtures/$name
[ ! -e "$to" ] || { echo "$to is there already: fixtures of a release never change" >&2; exit 1; }
vidimus=${VIDIMUS_BIN:-$here/target/debug/vidimus}
work=$(mktemp -d)
cd "$work"
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
"$vidimus" init --data-dir "$work/data" --root-key "$work/root.key" --listen "127.0.0.1:$port" --public-url "$url" >/dev/null
VIDIMUS_ANCHOR_INTERVAL_SECONDS=1 "$vidimus" serve >serve.out 2>serve.err &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do curl -sf "$url/readyz" >/dev/null && break; sleep 0.1; done
call() { # call KEY PATH JSON
  curl -sf "$url$2" -H 'content-type: application/json' ${1:+-H "authorization: Bearer $1"} ${3:+-d "$3"}
}
token=$(grep -oE 'vs_[0-9a-f]+' serve.out | head -n 1)
authority=$(call '' /v1/setup "{\"token\":\"$token\",\"name\":\"Test Authority\",\"country\":\"AT\"}" | jq -r .api_key)
lab=$(call "$authority" /v1/participants '{"role":"issuer","name":"Test Laboratory","country":"AT","categories":["sars-cov-2-naat","sars-cov-2-antibody","sars-cov-2-vaccination"]}' | jq -r .api_key)
call "$authority" /v1/participants '{"role":"verifier","name":"Test Airline","country":"DE","attributes":["family_name","result"],"purposes":["boarding"]}' >/dev/null
sleep 3
export VIDIMUS_PASSPHRASE='test passphrase of a fixture'
"$vidimus" wallet new >/dev/null
card=$("$vidimus" wallet card)
sampled=$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)
sed "s/2025-03-02T09:15:00+01:00/$sampled/g" "$here/vectors/samples/fhir/pcr-negative.json" >bundle.json
issue() { # issue PERSON MORE-JSON
  jq -n --slurpfile b bundle.json --arg p "$1" "{fhir:\$b[0],document:{type:\"passport\",country:\"AT\",number:\$p},wait:true} + $2" >report.json
  curl -s --fail-with-body "$url/v1/results" -H 'content-type: application/json' -H "authorization: Bearer $lab" -d @report.json
}
issue TEST0001 "{card:\"$card\"}" >held.json
issue TEST0002 '{}' >paper.json
issue TEST0003 '{}' >revoked.json
for id in $(jq -r '.copies[].content_id' held.json); do "$vidimus" wallet receive --from "$url" "$id" >/dev/null; done
copy=$(jq -r '.copies[0].id' revoked.json)
call "$lab" "/v1/certificates/$(jq -r .certificate revoked.json)/revoke" '{"reason":"error"}' >/dev/null
text() { curl -sf "$url/v1/copies/$1/paper?form=text" -H "authorization: Bearer $lab"; }
vc=$("$vidimus" --json wallet list | jq -r '.certificates[] | select(.format != "hcert") | .number' | head -n 1)
jq -n --arg url "$url" --argjson at "$(date +%s)" --arg held "$("$vidimus" wallet export "$vc")" \
  --arg paper "$(text "$(jq -r '.copies[0].id' paper.json)")" --arg revoked "$(text "$copy")" '{
  made_at: $at, public_url: $url, checks: [
    {what: "paper", input: $paper, verdict: "valid", reasons: []},
    {what: "a revoked paper", input: $revoked, verdict: "invalid", reasons: ["revoked"]},
    {what: "a VC with its receipt, not presented", input: $held, verdict: "undetermined",
     reasons: ["holder_binding_missing", "counter_signature_missing"]}
  ]}' >expected.json
sleep 2
kill $server; wait $server || true
mkdir -p "$to"
cp -r data "$to/data"
rm -f "$to"/data/*-wal "$to"/data/*-shm
cp expected.json "$to/expected.json"
cp root.key "$here/vectors/keys/TEST-$name-root.key"
echo "made $to"
