#!/usr/bin/env bash
# ./dev failover: three instances under load, one of them killed, stopped, restarted or given another time, again and again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/failover/failover.py "$@"
