"""Three instances on one MariaDB under load, while one of them is killed, stopped, restarted or given another time.

Purchases and callers' own sagas go through all three without a pause. Again and again something happens to one: it is
killed (SIGKILL) and started again; stopped (SIGSTOP) for longer than its lease and continued; its wall clock jumps forward
and back; or all three are restarted in order (SIGTERM), one when the one before is ready, as in a rolling update. Or it
happens to more: two are killed, all three, or the database. At the end everything must have ended, what callers were told must still be so, no key may have taken effect twice, and center and
participants must agree to the unit. The longest time is printed that anybody waited for an answer, or a saga for its next step.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

LEASE_S = 2.5  # the default: a hand-over that takes so long was none
WHOM = {"kill": "center-{}", "stop": "center-{}", "restart": "all, in order", "jump": "center-{}",
        "pair": "center-{} and the next", "all": "all three, at once", "database": "MariaDB"}
KINDS = tuple(WHOM)
IN_ORDER = ("restart",)


def arguments(given=None):
    parser = argparse.ArgumentParser(prog="./dev failover", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=7, metavar="N", help="how often something happens (default 7)")
    parser.add_argument("--only", choices=KINDS, help="nothing but this; without, one after the other")
    parser.add_argument("--seconds", type=float, default=4, metavar="S", help="of load before each (default 4)")
    parser.add_argument("--callers", type=int, default=12, metavar="N", help="of each kind at once (default 12)")
    parser.add_argument("--longest", type=float, default=5, metavar="S", help="longest pause that is accepted (default 5)")
    parser.add_argument("--handover", type=float, default=LEASE_S, metavar="S",
                        help=f"the same for a restart in order (default {LEASE_S:g}, a lease)")
    parser.add_argument("--seed", type=int, default=None, help="of whom it happens to")
    parser.add_argument("--json", metavar="FILE", help="write the counts there too")
    return parser.parse_args(given)


class Failover:
    def __init__(self, options):
        from harness import BIN  # noqa: E402
        from instances import Instances
        from load import Load
        self.options = options
        self.bin = BIN
        self.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        config = {"log": {"level": "info", "format": "json"}, "payment": {"query_first_ms": 1000, "query_max_ms": 4000}}
        self.world = Instances(3, config, sim=["--users", "320", "--auto-pay", "20"])
        self.load = Load(self.world, options.callers)
        self.world.configure_all({**config, "submit": {"targets": [self.load.ledger.target]}})
        for i, center in enumerate(self.world.centers):
            center.environment = {"LD_PRELOAD": os.path.join(BIN, "..", "tests", "libclockjump.so"),
                                  "CLOCK_JUMP": self.clock_of(i), "ASAN_OPTIONS":
                                  os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        self.events = []  # (kind, unfinished, from, to)

    def clock_of(self, i):
        return os.path.join(self.world.folder, f"clock-{i}")

    def close(self):
        self.world.close()
        self.load.ledger.close()

    # ---- What happens to one ----------------------------------------------------------------------------------------

    def kill(self, i):
        center = self.world.centers[i]
        center.kill()
        self.world.until_owners(lambda owners: not owners[i], "nobody took over")
        center.start()

    def stop(self, i):
        center = self.world.centers[i]
        center.signal(signal.SIGSTOP)
        self.world.until_owners(lambda owners: not owners[i], "nobody took over")
        center.signal(signal.SIGCONT)
        center.wait_ready()

    def restart(self, i):
        for center in self.world.centers[i:] + self.world.centers[:i]:
            center.stop()
            center.start()

    def jump(self, i):
        for seconds in (7200, -7200, 0):
            with open(self.clock_of(i) + ".new", "w", encoding="ascii") as file:
                file.write(str(seconds))
            os.rename(self.clock_of(i) + ".new", self.clock_of(i))
            time.sleep(self.options.seconds / 4)

    def pair(self, i):
        gone = [self.world.centers[i], self.world.centers[(i + 1) % 3]]
        for center in gone:
            center.kill()
        self.world.until_owners(lambda owners: len(owners[(i + 2) % 3]) == 256, "nobody took over")
        for center in gone:
            center.start()

    def all(self, _):
        for center in self.world.centers:
            center.kill()
        for center in self.world.centers:
            center.launch()
        for center in self.world.centers:
            center.wait_ready()

    def database(self, _):
        self.world.database.do("kill")
        self.world.database.do("restart")

    def happen(self):
        kinds = [self.options.only] if self.options.only else list(KINDS)
        for number in range(self.options.kills):
            time.sleep(self.options.seconds)
            kind, i = kinds[number % len(kinds)], self.random.randrange(3)
            with self.load.lock:
                unfinished = self.load.unfinished
            begun = time.monotonic()
            getattr(self, kind)(i)
            self.world.until_balanced()
            time.sleep(1)
            self.events.append((kind, unfinished, begun, time.monotonic()))
            longest = self.load.longest(begun, time.monotonic())
            print(f"  {number + 1}: {kind:8} of {WHOM[kind].format(i)}, {unfinished} unfinished; longest pauses: "
                  + ", ".join(f"{what} {seconds:.2f} s" for what, seconds in sorted(longest.items())), flush=True)
            if self.load.faults:
                return
        time.sleep(self.options.seconds)

    # ---- The end ----------------------------------------------------------------------------------------------------

    def unfinished_sagas(self, patience_s=60):
        """Those that are still under way when all load is over, which must be none."""
        end = time.monotonic() + patience_s
        while (rows := self.world.database.sql("SELECT gid, status, parked, reason, text FROM txcenter.saga "
                                               "WHERE ended_ms = 0")) and time.monotonic() < end:
            time.sleep(0.2)
        return [f"{gid} is still {'parked' if parked == '1' else 'under way'} ({status}): {' '.join(rest)}"
                for gid, status, parked, *rest in rows]

    def check(self):
        done = subprocess.run([os.path.join(self.bin, "txcheck"), "--center", self.world.targets[0], "--sim",
                               self.world.sim_target], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        return [] if done.returncode == 0 else ["txcheck: " + line for line in lines]

    def run(self):
        self.world.start()
        self.world.until_balanced()
        self.load.start()
        begun = time.monotonic()
        try:
            self.happen()
        finally:
            self.load.stop()
        caller = self.world.anywhere("failover")
        try:
            faults = self.unfinished_sagas() + self.load.judge(caller) + self.check()
        finally:
            caller.close()
        for center in self.world.centers:
            bad = [line for line in center.lines() if "sanitizer" in str(line).lower()]
            faults += [f"{center.log_path}: {line}" for line in bad]
        return faults, begun

    def longest(self):
        """By kind and what had to wait."""
        found = {}
        for kind, _, a, b in self.events:
            for what, seconds in self.load.longest(a, b).items():
                found[kind, what] = max(found.get((kind, what), 0), seconds)
        return found

    def too_long(self):
        accepted = {kind: self.options.handover if kind in IN_ORDER else self.options.longest for kind in KINDS}
        return [f"too long: {kind}: {what} {seconds:.2f} s, accepted are {accepted[kind]:g}"
                for (kind, what), seconds in sorted(self.longest().items()) if seconds > accepted[kind]]

    def taken_over(self):
        """More often than one was killed or stopped: somebody had no time to renew its lease."""
        return sum(line["msg"] == "taken over from an instance whose lease is over"
                   for center in self.world.centers for line in center.lines())

    def report(self, faults, begun):
        longest = self.longest()
        worst = max(longest.values(), default=0)
        print(f"\n{len(self.load.ended)} sagas and {len(self.load.trades)} purchases in {time.monotonic() - begun:.0f} s, "
              f"{len(self.events)} times something happened (unfinished: "
              f"{', '.join(str(unfinished) for _, unfinished, _, _ in self.events)})")
        for (kind, what), seconds in sorted(longest.items()):
            print(f"  {kind:8} longest pause for {what:30} {seconds:6.2f} s")
        print(f"longest pause: {worst:.2f} s; {self.taken_over()} times one took over from another")
        for slow in self.load.slow[:40]:
            print("  slow:", slow)
        for fault in faults[:40]:
            print("FAULT", fault)
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump({"failover.sagas": len(self.load.ended), "failover.trades": len(self.load.trades),
                           "failover.longest_s": worst, "failover.faults": len(faults),
                           "failover.by_kind": {f"{kind}: {what}": seconds for (kind, what), seconds in longest.items()}},
                          file, indent=1)


def run(given=None):
    """True when all went well."""
    failover = Failover(arguments(given))
    try:
        print(f"failover: {failover.options.kills} times, --seed {failover.seed}", flush=True)
        faults, begun = failover.run()
        faults += failover.too_long()
        failover.report(faults, begun)
        good = not faults and len(failover.events) == failover.options.kills and failover.load.ended
        print("nothing was lost" if good else f"NOT as it must be; again with --seed {failover.seed}")
        if not good:
            for center in failover.world.centers:
                lines = [line for line in center.log().splitlines()[-2000:]
                         if '"level":"error"' in line or '"level":"warn"' in line or "Sanitizer" in line]
                print(center.log_path, "\n".join(lines[-30:]), sep="\n")
        return bool(good)
    finally:
        failover.close()


if __name__ == "__main__":
    OPTIONS = arguments()  # before what needs a build
    sys.exit(0 if run() else 1)
