# Sourced by ./run and ./test. What a fresh machine lacks is installed here, or named in a sentence that says what to do.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

need() { # need COMMAND WHAT-TO-DO
  command -v "$1" >/dev/null 2>&1 || { echo "vidimus: '$1' is not installed. $2" >&2; exit 1; }
}

# Debian packages, when they are missing and we may install them. The names that could not be installed are printed; the suites that
# need them say so and count as skipped (as failed on CI).
debian() { # debian PACKAGE...
  local missing=() package
  command -v dpkg-query >/dev/null 2>&1 || return 0
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo=(sudo -n); else
      echo "vidimus: not installed and not ours to install: ${missing[*]} (run: apt-get install ${missing[*]})" >&2
      return 0
    fi
  fi
  echo "vidimus: installing ${missing[*]}"
  { "${sudo[@]}" apt-get update -q && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } \
    >"${TMPDIR:-/tmp}/vidimus-apt.log" 2>&1 || { tail -n 5 "${TMPDIR:-/tmp}/vidimus-apt.log" >&2; echo "vidimus: could not install ${missing[*]}" >&2; }
}

rust() {
  need cargo "Install Rust by rustup (https://rustup.rs); rust-toolchain.toml picks version 1.95.0."
  need cc "Install a C compiler: apt-get install build-essential."
}
