#!/usr/bin/env bash
# Everything about the contracts: artifacts, forge's unit, fuzz and invariant tests, gas, documents, Slither.
#   contracts/test.sh          a minute or two
#   contracts/test.sh --long   with 10⁶ calls on each contract's invariants (VIDIMUS_LONG=1 says the same)
# Needs node, npm and python3; the rest comes from npm and PyPI as pinned. The last line counts.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
[ "${1:-}" = --long ] && VIDIMUS_LONG=1
[ "${VIDIMUS_LONG:-0}" = 1 ] && export FOUNDRY_PROFILE=long
export FOUNDRY_DISABLE_NIGHTLY_WARNING=1 NO_COLOR=1
export PATH="$PWD/node_modules/.bin:$PATH"
log=cache/test.log
mkdir -p cache
passed=0 failed=0

# check NAME COMMAND…: one thing that holds or does not.
check() {
  local name=$1 start=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok      %-12s %3ss  %s\n' "$name" $((SECONDS - start)) "$(grep -vE '^npm (warn|notice)' "$log" | tail -n 1)"
  else
    failed=$((failed + 1))
    printf 'FAILED  %-12s %3ss\n' "$name" $((SECONDS - start))
    grep -vE '^npm (warn|notice)' "$log" | tail -n 60 | sed 's/^/  | /'
  fi
}

# suite NAME PASSED FAILED COMMAND…: many tests; the two expressions find their counts in what is printed.
suite() {
  local name=$1 ran=$2 fell=$3 start=$SECONDS status p f
  shift 3
  "$@" >"$log" 2>&1
  status=$?
  p=$(sed -nE "s/$ran/\1/p" "$log" | tail -n 1)
  f=$(sed -nE "s/$fell/\1/p" "$log" | tail -n 1)
  p=${p:-0} f=${f:-0}
  # A suite that fails, or that ran nothing, is at least one failure.
  if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$p" -eq 0 ]; }; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f))
  if [ "$f" -eq 0 ]; then
    printf 'ok      %-12s %3ss  %s tests\n' "$name" $((SECONDS - start)) "$p"
  else
    printf 'FAILED  %-12s %3ss  %s of %s\n' "$name" $((SECONDS - start)) "$f" $((p + f))
    grep -vE '^npm (warn|notice)' "$log" | grep -vE '^\[PASS\]|^Suite result: ok' | tail -n 60 | sed 's/^/  | /'
  fi
}

packages() {
  local stamp=node_modules/.vidimus
  cmp -s package-lock.json "$stamp" && return
  npm ci && cp package-lock.json "$stamp"
}

# The committed gas figures are compared, never written, here; a changed one is named with both values.
forge_tests() {
  FORGE_SNAPSHOT_CHECK=true FORGE_SNAPSHOT_EMIT=false forge test
}

check packages packages
check format forge fmt --check
check artifacts node compile.mjs --check
suite forge '.*: ([0-9]+) tests passed, .*' '.* tests passed, ([0-9]+) failed.*' forge_tests
check gas node gas.mjs --check
suite documents '.*pass ([0-9]+)$' '.*fail ([0-9]+)$' node --test test/contracts.test.mjs
check slither ./slither.sh

printf 'contracts: %s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
