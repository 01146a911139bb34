#!/usr/bin/env bash
# Write requirements.lock and package-lock.json anew, after a change of pyproject.toml or
# package.json. Both hold hashes and no address, so that they install from any registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

echo "lock: requirements.lock"
"${PYTHON:-python3}" -m venv "$scratch/uv"
"$scratch/uv/bin/python" -m pip install -qq --disable-pip-version-check uv
# --universal: one file for 3.11 and 3.12. The old file is read first, so only what must move does;
# UPGRADE=1 takes the newest of everything.
"$scratch/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --all-extras \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
    ${UPGRADE:+--upgrade} --output-file requirements.lock pyproject.toml

echo "lock: package-lock.json"
npm install --package-lock-only --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error \
    --omit-lockfile-registry-resolved

if grep -nE '^(--|[^#]*://)' requirements.lock || grep -n '"resolved"' package-lock.json; then
    echo "lock: error: a lock file names a registry" >&2
    exit 1
fi
