#!/usr/bin/env bash
# Plays the engine against a whole model world, seed by seed, and checks every rule that must hold.
#
# usage: ./dev simulate [--seeds A..B | --new N] [OPTION…]
#        ./dev simulate --seed S [--only ITEMS] [--trace]
#
#   --seeds A..B    these seeds (1..4000)
#   --new N         N seeds that were never played before; which ones is printed
#   --seed S        one seed, exactly as it was played before
#   --only ITEMS    with nothing of its plan but these items, as a failure prints them: 3,7,12
#   --trace         prints what happens, line by line
#   --jobs N        processes at once (as many as there are processors)
#   --keep-going    goes on after a failure, up to 32 of them
#   --no-shrink     does not make a failure small
#   --coverage      prints which states of the machine met which events, and how often
#   --json          prints the result as one JSON object
#   --plant NAME    breaks a rule of the world on purpose, to see that it is noticed: forgetful, rollback, unfenced,
#                   torn, amnesia, reordered, mute, boundless
#
# Coverage is judged when the seeds 1..4000 are among those that were played. Exit codes: 0 every rule held, 1 one was
# broken or coverage lacks something, 2 these arguments make no sense. tests/simulation/README.md says what is played, and
# what is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/say.sh
case " $* " in
  *' --help '* | *' -h '*) usage && exit ;;
esac
export TXC_BIN=${TXC_BIN:-$PWD/build/release/bin}
exec "${TXC_BIN%/bin}/simulation/simulate" "$@"
