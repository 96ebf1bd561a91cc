"""The center is killed with SIGKILL, started again, and everything is compared: at every durable point, or at random."""

import argparse
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True


STORES = ("sqlite", "powerloss", "mariadb", "cluster", "galera", "galera-cluster", "tidb", "tidb-cluster")


def arguments():
    parser = argparse.ArgumentParser(prog="./dev crash", description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the counts there too")
    parser.add_argument("--forget", action="store_true",
                        help="the log is never synced: the run must find that acknowledged things were forgotten")
    sweep = parser.add_argument_group("at every durable point of single trades and sagas")
    sweep.add_argument("--scenario", action="append", metavar="NAME", help="only this one; repeatable")
    sweep.add_argument("--at", type=int, metavar="K", help="only at the Kth durable point")
    sweep.add_argument("--side", choices=("before", "after"), help="only right before, or right after it")
    sweep.add_argument("--power-loss", action="store_true", help="a kill also loses every byte that was not synced")
    sweep.add_argument("--quick", action="store_true", help="each point once, with power loss: before and after by turns")
    sweep.add_argument("--jobs", type=int, default=3, help="scenarios at once")
    torture = parser.add_argument_group("at random moments under load")
    torture.add_argument("--kills", type=int, metavar="N", help="so many, spread over the stores")
    torture.add_argument("--store", action="append", choices=STORES,
                         help="only this one; repeatable. Those of galera and tidb, which need more: only when they are named")
    torture.add_argument("--seed", type=int, help="of the moments, the load and the faults")
    torture.add_argument("--least", type=int, default=50, metavar="N", help="sagas that must be unfinished at each kill (50)")
    torture.add_argument("--keep", metavar="FOLDER", help="copies each world with faults there: stores, ledgers, logs")
    return parser.parse_args()


def main():
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    if asked.kills:
        import torture
        return torture.run(asked)
    import sweep
    return sweep.run(asked)


if __name__ == "__main__":
    sys.exit(main())
