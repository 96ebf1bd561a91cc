#!/usr/bin/env bash
# ./dev storm: many purchases at once, every system faulty, the center killed again and again; then every ledger is compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/storm/storm.py "$@"
