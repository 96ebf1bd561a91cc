#!/usr/bin/env bash
# Measures the release build: what the center costs while nobody calls, and what whole purchases cost.
#
# usage: ./dev bench [--quick] [--mariadb] [--all] [--json FILE] [--data FOLDER]
#
# Idle figures, then purchases with 1, 16, 64 and 256 in flight on SQLite (and, with --mariadb, on MariaDB), each in a new
# folder with participants of its own; --all adds store, rpc and solver by themselves. Data lies in FOLDER (build/bench),
# which must be on a disk: memory would make commits free. Everything goes by flat names into FILE (build/bench.json).
# A goal that is missed is said, and is no failure: this machine may be busy or slow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/say.sh
case " $* " in
  *' --help '* | *' -h '*) usage && exit ;;
esac
export TXC_BIN=${TXC_BIN:-$PWD/build/release/bin}
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/bench/bench.py "$@"
