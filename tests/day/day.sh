#!/usr/bin/env bash
# ./dev day: a day of a petrol company in small, in bad weather; then every ledger is compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/day/day.py "$@"
