#!/usr/bin/env bash
# ./dev crash: the center is killed at every durable point of a trade and started again; then everything is compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case " $* " in *[\ =]galera*) scripts/setup slow ;; esac
case " $* " in *[\ =]tidb*) scripts/tidb ;; esac
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/crash/crash.py "$@"
