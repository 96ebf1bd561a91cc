#!/usr/bin/env bash
# Measures the release build and compares with what the figures should be.
#
# usage: ./dev bench [--quick] [--mariadb] [--all] [--two-step] [--quote] [--solver] [--purchases] [--profile]
#                    [--peer dtm] [--recovery [--sagas N]] [--waiting N] [--retention] [--overload] [--importance]
#                    [--pairs N] [--strict] [--json FILE] [--data FOLDER]
#
# Without options: idle figures; sagas of two steps that come from outside (SubmitSaga), with 1, 16, 64 and 256 in flight
# and at fixed rates, beside the bare ceiling; quotes; the solver; whole purchases. On SQLite, with --mariadb on MariaDB too;
# --all adds store and rpc by themselves. These run only what they name:
#   --two-step       the sagas of two steps
#   --quote          quotes whose sources take their time, with the cache off, in memory and in Redis
#   --solver         the search for the best discounts: 20 candidates, 10 lines, CPU time
#   --purchases      whole purchases: plain ones, and full ones with coupon, points, card and WeChat
#   --profile        where the instructions go (callgrind): a saga beside the ceiling, a full purchase
#   --peer dtm       DTM v1.19.0, by turns with the center on the same MariaDB; built of its Go module the first time
#   --recovery       kill -9 with 100,000 sagas under way (--sagas), restart, until all have ended
#   --waiting N      N sagas that wait (1000000): resident memory, pages of the list, time to start
#   --retention      load by turns while 100,000 sagas whose time is over are deleted, and while they are left alone
#   --overload       70 % of the greatest throughput (of a minute) for five minutes, 150 % for one, 70 % again; the ceiling at its 70 %
#   --importance     paying, by turns with a system beside it that answers in 30 s and without
# Ratios come from --pairs (10) pairs of runs in turn. Data lies in FOLDER (build/bench), which must be on a disk: memory
# would make commits free. Everything goes by flat names into FILE (build/bench.json). A goal that is missed is said, and
# is a failure only with --strict (exit code 1): this machine may be busy or slow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/say.sh
case " $* " in
  *' --help '* | *' -h '*) usage && exit ;;
esac
case " $* " in *' --profile '*) scripts/setup profile ;; esac
export TXC_BIN=${TXC_BIN:-$PWD/build/release/bin}
export TXC_DESCRIPTORS=${TXC_BIN%/bin}/gen/descriptors.pb
exec /usr/bin/python3 tests/bench/bench.py "$@"
