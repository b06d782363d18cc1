#!/usr/bin/env bash
# Kills the server again and again while it issues and revokes; what it acknowledged must hold, once. 40 rounds, 200 with VIDIMUS_LONG=1; a fourth
# as many while wallets claim and present.
#   VIDIMUS_KILL_SEED=N repeats a run's choices; VIDIMUS_KILL_ROUNDS=N sets the rounds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${VIDIMUS_LONG:-0}" = 1 ]; then rounds=200; else rounds=40; fi
export VIDIMUS_KILL_ROUNDS=${VIDIMUS_KILL_ROUNDS:-$rounds}
exec cargo test --locked -p vidimus --test vidimus kill:: -- --nocapture
