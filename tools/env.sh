# Environment of this checkout. Use:  . tools/env.sh   (bash or zsh, from anywhere)
#
# `make` sets the same variables for its own targets; this file is for work by hand.

if [ -n "${BASH_SOURCE:-}" ]; then
    _env_file="${BASH_SOURCE[0]}"
elif [ -n "${ZSH_VERSION:-}" ]; then
    _env_file="${(%):-%x}"
else
    _env_file="./tools/env.sh"
fi
_root="$(cd "$(dirname "$_env_file")/.." && pwd)"

# Compilers and node first, so that a foundry or vyper of another version is never picked up.
case ":$PATH:" in
    *":$_root/.venv/bin:"*) ;;
    *) export PATH="$_root/.venv/bin:$_root/node_modules/.bin:$PATH" ;;
esac
export VIRTUAL_ENV="$_root/.venv"
# Where py-solc-x, and through it ape-solidity and slither, look for `solc-v0.8.30`.
export SOLCX_BINARY_PATH="$_root/.solcx"
# Where Solidity finds OpenZeppelin and solady (ape-config.yaml).
export EXCHANGE_OS_NODE_MODULES="$_root/node_modules"
# eth-hash would pick a backend five times slower.
export ETH_HASH_BACKEND=pysha3
# Public endpoints; set your own before sourcing this file.
export XLAYER_MAINNET_RPC="${XLAYER_MAINNET_RPC:-https://rpc.xlayer.tech}"
export XLAYER_TESTNET_RPC="${XLAYER_TESTNET_RPC:-https://testrpc.xlayer.tech}"

unset _env_file _root
