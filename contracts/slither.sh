#!/usr/bin/env bash
# Analyses src/ with Slither and fails on every finding that no comment beside the code explains (SLITHER.md lists
# them). Slither is installed once, below .cache/ of the repository.
set -euo pipefail
cd "$(dirname "$0")"
home=$(cd .. && pwd)/.cache/slither
wanted=$(sha256sum slither.txt | cut -d ' ' -f 1)

if [ "$(cat "$home/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "slither: installing below .cache/"
  rm -rf "$home"
  mkdir -p "$home"
  if python3 -m venv "$home/venv" >/dev/null 2>&1; then
    "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r slither.txt
  else
    # A Python without ensurepip: the packages go into a folder of their own.
    rm -rf "$home/venv"
    python3 -m pip install --quiet --disable-pip-version-check --target "$home/packages" -r slither.txt
  fi
  printf '%s' "$wanted" >"$home/installed"
fi

if [ -d "$home/venv" ]; then
  slither=("$home/venv/bin/python" -m slither)
else
  export PYTHONPATH="$home/packages"
  slither=(python3 -m slither)
fi

[ -d node_modules ] || npm ci
# Output of its own: Slither begins with `forge clean`, and must not find what an earlier build left.
export FOUNDRY_OUT=cache/slither/out FOUNDRY_CACHE_PATH=cache/slither/cache
export PATH="$PWD/node_modules/.bin:$PATH"
rm -rf cache/slither
mkdir -p cache/slither
status=0
"${slither[@]}" . --json cache/slither/report.json "$@" >cache/slither/log 2>&1 || status=$?
if [ "$status" -ne 0 ] || ! grep -q '"success": true' cache/slither/report.json; then
  grep -vE '^npm (warn|notice)' cache/slither/log
  exit 1
fi
grep -oE 'analyzed .*' cache/slither/log | sed 's/^/slither: /'
