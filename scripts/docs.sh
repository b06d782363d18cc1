#!/usr/bin/env bash
# The documents are true as far as a machine can tell: links lead somewhere, rustdoc has no dead links, nothing is left in the text that should
# not be there. (OpenAPI, configuration samples and vectors are compared by the crates' own tests.)
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
check() { # check WHAT COMMAND…
  local what=$1; shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}

links() {
  local bad=0 file target
  while IFS= read -r file; do
    while IFS= read -r target; do
      case "$target" in http*|'#'*|mailto:*) continue ;; esac
      [ -e "$(dirname "$file")/${target%%#*}" ] || { echo "$file: there is no $target"; bad=1; }
    done < <(grep -oE '\]\([^)]+\)' "$file" | sed 's/^](//; s/)$//')
  done < <(git ls-files '*.md')
  return $bad
}

named_files() { # what README, ARCHITECTURE and CONTRIBUTING name in backquotes as a path is there
  local bad=0 name
  while IFS= read -r name; do
    [ -e "$name" ] || { echo "named in a document, but not there: $name"; bad=1; }
  done < <(grep -ohE '`(docs|scripts|contracts|crates|vectors|e2e|bench|fuzz)/[A-Za-z0-9_./-]+`' README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md docs/*.md | tr -d '`' | sort -u)
  return $bad
}

nothing_left() {
  local code=('*.rs' '*.sol' '*.mjs' '*.py' '*.sh' ':!scripts/docs.sh')
  ! git grep -nE 'todo!\(|unimplemented!\(' -- "${code[@]}" && ! git grep -nwE 'FIXME|XXX|HACK' -- "${code[@]}"
}

rustdoc() {
  RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet
}

check 'links in the documents' links
check 'files that the documents name' named_files
check 'nothing is left in the text' nothing_left
check 'rustdoc' rustdoc
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
