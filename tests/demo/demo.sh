#!/usr/bin/env bash
# ./dev demo: the main job, with real programs on the embedded store. --keep leaves them running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/demo/demo.py "$@"
