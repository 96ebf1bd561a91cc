"""A day of a petrol company in small: trades of every kind, through every channel, in bad weather; then all is compared.

Fuel, goods, recharge and other items are bought through four channels, paid by mixed tenders, cancelled, left to expire,
refunded whole and in parts; a fifth of the callers send each request three times at once. Every participant loses answers
after they took effect, fails and delays; some refuse; callbacks come twice and out of order; the center is killed again and
again; operators retry what is parked and pause systems. At the end every trade must have ended, every ledger must add up to
zero, the center and all participants must agree to the unit, and every benefit was either used once or is back.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import sys
import threading
import time

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("e2e", "storm")]
sys.dont_write_bytecode = True


def arguments():
    parser = argparse.ArgumentParser(prog="./dev day", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--trades", type=int, default=20000, help="in all (20000)")
    parser.add_argument("--at-once", type=int, default=64, help="under way at the same time (64)")
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs of the center, spread over the day (10)")
    parser.add_argument("--seed", type=int, default=None, help="of everything random here and of the simulators' faults")
    parser.add_argument("--json", metavar="FILE", help="write the counts there too")
    return parser.parse_args()


ARGUMENTS = arguments()

import plans  # noqa: E402
from customer import Customer  # noqa: E402
from office import Office  # noqa: E402
from weather import Weather  # noqa: E402

TRADES_OF_A_USER = 4
LONGEST_PAYER_MS = 3000
PROGRESS_S = 10
# What comes after the payment at systems that are not core, and may be refused: parked, for the operators to retry.
REFUSED_AFTERWARDS = (("points", "AwardPoints"), ("invoice", "IssueInvoice"), ("settlement", "RecordTrade"),
                      ("marketing", "RecordTrade"), ("level", "ReportGrowth"))
FAULTS = [("NO_ANSWER", "*", "*", 20, {}), ("UNAVAILABLE", "*", "*", 15, {}), ("ERROR", "*", "*", 10, {}),
          ("DELAY", "*", "*", 20, {"delayMs": "300"}),
          *((kind, "payment", method, 100, {}) for kind in ("DUPLICATE_CALLBACK", "REORDERED_CALLBACK", "LOST_CALLBACK")
            for method in ("NotifyPayment", "NotifyRefund")),
          *(("REJECT", system, method, 5, {"code": "NOT_NOW"}) for system, method in REFUSED_AFTERWARDS)]


class Day:
    def __init__(self):
        self.users = max(50, ARGUMENTS.trades // TRADES_OF_A_USER)
        self.weather = Weather(ARGUMENTS.store, ARGUMENTS.seed, self.users, FAULTS,
                               {"log": {"level": "warn", "format": "json"}})
        self.weather.unfinished = ARGUMENTS.trades
        self.seed = self.weather.seed
        self.faults, self.lock = [], threading.Lock()
        self.rows = collections.Counter()  # (kind of what, which, how it ended): how many
        self.refusals = collections.Counter()
        self.seconds = 0

    def one(self, number):
        customer = Customer(self.weather.client, self.seed, number, plans.draw(self.seed, number, self.users))
        reason, fault = "", ""
        try:
            reason = customer.live()
        except Exception as error:  # noqa: BLE001 # whatever it is, the day goes on, and tells of it
            fault = f"trade {number} ({customer.trade_no}, {customer.plan.ending}): {type(error).__name__}: {error}"
        with self.lock:
            if fault:
                self.faults.append(fault)
            for what in ("channel", "basket", "ending"):
                self.rows[what, getattr(customer.plan, what), customer.state] += 1
            if reason:
                self.refusals[reason] += 1
        self.weather.finished()

    def kill_through_the_day(self):
        """Each after as much work as the others."""
        for number in range(ARGUMENTS.kills):
            at = ARGUMENTS.trades * (ARGUMENTS.kills - number) // (ARGUMENTS.kills + 1)
            while self.weather.unfinished > at:
                time.sleep(0.05)
            time.sleep(self.weather.random.random() * 0.3)
            self.weather.kill()

    def tell(self, begun, over):
        while not over.wait(PROGRESS_S):
            left = self.weather.unfinished
            print(f"  {time.monotonic() - begun:5.0f} s: {ARGUMENTS.trades - left} trades over, "
                  f"{len(self.weather.kill_counts)} kills", flush=True)

    # [S3-1] [S3-2] [S3-3] [S3-15] one center serves all ends, in whatever weather
    def work(self):
        begun, over = time.monotonic(), threading.Event()
        self.weather.start(LONGEST_PAYER_MS)
        office = Office(self.weather.world.client("office"), self.seed)
        teller = threading.Thread(target=self.tell, args=(begun, over), daemon=True)
        teller.start()
        office.open()
        with concurrent.futures.ThreadPoolExecutor(ARGUMENTS.at_once) as pool:
            futures = [pool.submit(self.one, number) for number in range(ARGUMENTS.trades)]
            self.kill_through_the_day()
            concurrent.futures.wait(futures)
        self.weather.sim.clear()
        office.close()
        for _ in range(10):  # what was refused meanwhile
            if not office.retry_parked():
                break
            time.sleep(1)
        self.faults += office.faults + self.weather.settle()
        counts, lines = self.weather.check()
        self.faults += lines
        over.set()
        teller.join()
        self.seconds = time.monotonic() - begun
        return office, counts


def table(title, rows):
    """{(name, state): n} as a table with a column for each state."""
    states = sorted({state for _, state in rows})
    names = sorted({name for name, _ in rows})
    wide = max(len(name) for name in [*names, title]) + 2
    print(title.ljust(wide) + "".join(f"{state:>{max(len(state), 6) + 2}}" for state in [*states, "all"]))
    for name in names:
        cells = [rows.get((name, state), 0) for state in states]
        print(name.ljust(wide) + "".join(f"{n:>{max(len(state), 6) + 2}}" for n, state in zip([*cells, sum(cells)],
                                                                                               [*states, "all"])))
    print()


def report(day, office, counts):
    weather = day.weather
    print(f"\n{ARGUMENTS.trades} trades of {day.users} users in {day.seconds:.0f} s on {ARGUMENTS.store}; "
          f"{len(weather.kill_counts)} kills\n")
    for what in ("channel", "basket", "ending"):
        table(what, {(name, state): n for (kind, name, state), n in day.rows.items() if kind == what})
    for title, rows in (("refused", day.refusals), ("operators", office.counts),
                        ("unfinished at the kills", weather.points), ("compared", counts)):
        print(title + ": " + (", ".join(f"{n} {name}" for name, n in sorted(rows.items())) or "none"))
    for fault in day.faults[:40]:
        print("FAULT", fault)
    if ARGUMENTS.json:
        with open(ARGUMENTS.json, "w", encoding="utf-8") as file:
            json.dump({"day.trades": ARGUMENTS.trades, "day.kills": len(weather.kill_counts), "day.seconds": day.seconds,
                       "day.faults": len(day.faults), "day.refused": day.refusals, "day.operators": office.counts,
                       "day.compared": counts}, file, indent=1)


def main():
    day = Day()
    print(f"a day over {ARGUMENTS.store}: {ARGUMENTS.trades} trades, {ARGUMENTS.kills} kills, --seed {day.seed}", flush=True)
    try:
        office, counts = day.work()
        report(day, office, counts)
        good = not day.faults and counts.get("faults") == 0 and len(day.weather.kill_counts) == ARGUMENTS.kills
        print("nothing missing, nothing double" if good else f"NOT right; again with --seed {day.seed}")
        if not good:
            print(day.weather.complaints())
        return 0 if good else 1
    finally:
        day.weather.close()


if __name__ == "__main__":
    sys.exit(main())
