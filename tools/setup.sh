#!/usr/bin/env bash
# Bring this checkout into a state in which every `make` target works.
#
#   tools/setup.sh            all of it; called by `make setup`
#
# Each part leaves a stamp named by a hash of what it was made from, so a second run only compares
# hashes. Nothing is installed outside of the checkout and nothing needs more rights than yours.
#
#   PYTHON=/path/to/python3   the interpreter to build .venv from (3.11 or 3.12)
#   SOLC=native               fetch the native Solidity compiler instead of using the one from npm
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SOLC_VERSION=0.8.30
FOUND_WORK=0

say() { printf 'setup: %s\n' "$*"; FOUND_WORK=1; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
hash_of() { cat -- "$@" | sha256sum | cut -c1-16; }

# One set-up at a time: two would delete each other's half-made folders.
exec 9>.setup.lock
if command -v flock >/dev/null && ! flock -n 9; then
    say "another set-up is running in this checkout, waiting for it"
    flock 9
fi

# ---------------------------------------------------------------------------------- Python

is_supported_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.11}; do
        if is_supported_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    local found
    found="$("${PYTHON:-python3}" --version 2>&1 || true)"
    die "Python 3.11 or 3.12 is needed, ${PYTHON:-python3} is: ${found:-not there}.
       Install one of them, or name it:  make setup PYTHON=/path/to/python3.12"
}

setup_python() {
    local stamp=".venv/.stamp-$(hash_of requirements.lock)"
    [ -f "$stamp" ] && is_supported_python .venv/bin/python && return
    if ! { [ -x .venv/bin/python ] && is_supported_python .venv/bin/python; }; then
        local python
        python="$(find_python)"
        say "virtual environment .venv from $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv || die "\`$python -m venv\` failed; on Debian and Ubuntu it needs the package python3-venv"
    fi
    say "Python packages from requirements.lock (about a minute the first time)"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
    rm -f .venv/.stamp-*
    touch "$stamp"
}

# Link the package itself into the environment, for the `tradezone` command.
setup_package() {
    [ -f tradezone/__init__.py ] && [ -f README.md ] && [ -f LICENSE ] || return 0
    local stamp=".venv/.stamp-package-$(hash_of pyproject.toml)"
    [ -f "$stamp" ] && return
    say "the package tradezone, linked to this checkout"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
    rm -f .venv/.stamp-package-*
    touch "$stamp"
}

# ------------------------------------------------------------------------------------- npm

setup_npm() {
    local stamp="node_modules/.stamp-$(hash_of package.json package-lock.json)"
    [ -f "$stamp" ] && return
    command -v npm >/dev/null || die "npm is needed (Node.js 18 or newer): it brings anvil, forge, solc and the contract libraries"
    say "EVM tools and contract libraries from package-lock.json"
    # No package needs its install script: the binaries lie in the packages.
    npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
    touch "$stamp"
}

check_foundry() {
    local tool
    for tool in anvil forge; do
        [ -x "node_modules/.bin/$tool" ] || command -v "$tool" >/dev/null \
            || die "no $tool for $(uname -sm): the lock file holds it for Linux x86_64 only; install Foundry 1.7.1 so that $tool is on PATH"
    done
}

# ------------------------------------------------------------------------------------ solc

setup_solc() {
    local solc=".solcx/solc-v$SOLC_VERSION"
    if [ "${SOLC:-}" = native ] && { [ ! -e "$solc" ] || [ -L "$solc" ]; }; then
        say "native solc $SOLC_VERSION"
        rm -f "$solc"
        mkdir -p .solcx
        timeout 120 .venv/bin/python - "$SOLC_VERSION" <<'PY' || { rm -f "$solc"; say "it cannot be fetched from here, using the one from npm"; }
import sys

import solcx

try:
    solcx.install_solc(sys.argv[1], show_progress=False, solcx_binary_path=".solcx")
except Exception as error:
    sys.exit(f"setup: {type(error).__name__} while fetching solc")
PY
    fi
    if [ ! -e "$solc" ]; then
        say "solc $SOLC_VERSION (the compiler from npm, as an executable in .solcx)"
        mkdir -p .solcx
        ln -sf ../tools/solc/solc.js "$solc"
        "$solc" --version | grep -q "Version: $SOLC_VERSION" || die "$solc does not answer as solc $SOLC_VERSION"
    fi
}

# ----------------------------------------------------------------------------------- Numba

warm_numba() {
    [ -e tradezone/warm.py ] || [ -e tradezone/warm/__init__.py ] || return 0
    local sources stamp
    sources="$(find tradezone -name '*.py' | LC_ALL=C sort)"
    # shellcheck disable=SC2086  # one word a file, none has a space
    stamp=".venv/.stamp-warm-$(hash_of requirements.lock $sources)"
    [ -f "$stamp" ] && return
    say "compiling the engine (a minute or two after a change, then kept)"
    .venv/bin/python -m tradezone.warm
    rm -f .venv/.stamp-warm-*
    touch "$stamp"
}

setup_python
setup_npm
check_foundry
setup_solc
setup_package
warm_numba
[ "$FOUND_WORK" -eq 0 ] || printf 'setup: done in %s s\n' "$SECONDS"
