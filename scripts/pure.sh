#!/usr/bin/env bash
# Proof that the pure crates build without IO: none of what does IO, keeps time or draws randomness is in their dependency trees.
set -euo pipefail
cd "$(dirname "$0")/.."
banned='tokio|async-std|smol|mio|reqwest|hyper|ureq|rusqlite|libsqlite3-sys|tokio-postgres|sqlx|redb|object_store|getrandom|rand|rand_core|axum|socket2'
fail=0
for crate in vidimus-core vidimus-credential vidimus-identity vidimus-wallet vidimus-openid4vc; do
  tree=$(cargo tree --locked -p "$crate" --edges normal --prefix none --no-dedupe 2>/dev/null | awk '{print $1}' | sort -u)
  found=$(printf '%s\n' "$tree" | grep -xE "$banned" || true)
  # jsonschema's hash maps (ahash) draw a seed against hash flooding: no behaviour of ours depends on it. Any other way to it counts.
  if [ "$found" = getrandom ] && ! cargo tree --locked -p "$crate" --edges normal --prefix depth --no-dedupe |
    awk '{d=$0; sub(/[^0-9].*/,"",d); name=$1; sub(/^[0-9]+/,"",name); path[d+0]=name; if (name=="getrandom" && path[d-1]!="ahash") bad=1} END {exit !bad}'; then
    found=
  fi
  if [ -n "$found" ]; then
    echo "$crate is not pure: $(echo "$found" | tr '\n' ' ')"
    cargo tree --locked -p "$crate" --edges normal -i "$(echo "$found" | head -n 1)" || true
    fail=1
  else
    echo "$crate: $(printf '%s\n' "$tree" | wc -l) crates, none of them does IO"
  fi
done
# A clock or the environment can be reached without a dependency.
if grep -rnE 'SystemTime|Instant::now|std::env::|std::fs|std::net|std::thread' crates/{core,credential,identity,wallet,openid4vc}/src --include='*.rs' | grep -v 'cfg(test)'; then
  echo 'a pure crate reaches for the clock, the environment, files, the network or threads'
  fail=1
fi
exit $fail
