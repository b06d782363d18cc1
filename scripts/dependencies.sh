#!/usr/bin/env bash
# Bans, licences and sources of every crate in the tree (deny.toml), by cargo-deny, which is built once into .cache/. Advisories need a
# database from the internet: run `cargo deny check advisories` where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
tool=.cache/tools/bin/cargo-deny
if [ "$("$tool" --version 2>/dev/null || true)" != "cargo-deny $version" ]; then
  CARGO_TARGET_DIR=.cache/tools/target CARGO_INCREMENTAL=0 cargo install cargo-deny --version "$version" --locked --no-default-features \
    --root .cache/tools --quiet
  rm -rf .cache/tools/target
fi
"$tool" --locked check bans licenses sources
