"""A day of a petrol company in small: trades of every kind, through every channel, in bad weather; then all is compared.

Fuel, goods, recharge and other items are bought through six channels, by users and by nobody in particular, paid by mixed
tenders before and after fuelling, filled up and adjusted, edited, cancelled, left to expire, refunded whole and in parts;
prices change; a fifth of the callers send each request three times at once. Every participant loses answers after they took
effect, fails and delays; some refuse; callbacks come twice, out of order, or say what is not so; the center and the systems
are killed again and again; operators retry what is parked, settle what only people can, and pause systems. At the end every
trade must have ended, every ledger must add up to zero, the center and all participants must agree to the unit, every
benefit was either used once or is back, each fuelling is paid for once, and nothing is left for an operator. A kind of trade
that never happened is a fault of the day, too.
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
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs, spread over the day: each third of the systems, the others of the center (10)")
    parser.add_argument("--seed", type=int, default=None, help="of everything random here and of the simulators' faults")
    parser.add_argument("--json", metavar="FILE", help="write the counts there too")
    return parser.parse_args()


ARGUMENTS = arguments()

import plans  # noqa: E402
from customer import Customer  # noqa: E402
from edits import Editor  # noqa: E402
from forecourt import Filler, Reader, Rival, dispense  # noqa: E402
from office import Office  # noqa: E402
from weather import CENTER, SYSTEMS, Weather  # noqa: E402

ACTORS = {ending: actor for actor in (Editor, Filler, Reader, Rival) for ending in actor.ENDINGS}
KILLED = (CENTER, CENTER, SYSTEMS)  # in turn

LONGEST_PAYER_MS = 3000
PROGRESS_S = 10
# What comes after the payment at systems that are not core, and may be refused: parked, for the operators to retry.
REFUSED_AFTERWARDS = (("points", "AwardPoints"), ("invoice", "IssueInvoice"), ("settlement", "RecordTrade"),
                      ("marketing", "RecordTrade"), ("level", "ReportGrowth"))
FAULTS = [*((kind, "payment", "NotifyPayment", 0, {"userId": payer}) for payer, kind in plans.ODD_PAYERS.items()),
          ("REFUND_FAILS", "payment", "RefundPayment", 100, {"code": "MERCHANT_BALANCE_SHORT"}),
          ("NO_ANSWER", "*", "*", 20, {}), ("UNAVAILABLE", "*", "*", 15, {}), ("ERROR", "*", "*", 10, {}),
          ("DELAY", "*", "*", 20, {"delayMs": "300"}),
          *((kind, "payment", method, 100, {}) for kind in ("DUPLICATE_CALLBACK", "REORDERED_CALLBACK", "LOST_CALLBACK")
            for method in ("NotifyPayment", "NotifyRefund")),
          *(("REJECT", system, method, 5, {"code": "NOT_NOW"}) for system, method in REFUSED_AFTERWARDS)]
# Whoever has bought so much is of a higher level.
GROWTH = (0, 1500, 0, 0, 6000)
# What must have happened: a kind of trade that nobody made shows nothing.
MUST_HAPPEN = (
    "requests that were sent more than once, and answered alike",
    "sold cheaper for coupons", "sold cheaper for points", "sold cheaper for the member's level",
    "sold cheaper for an activity", "sold cheaper for how it is paid", "sold cheaper for rounding off",
    "sold to nobody in particular", "paid by several tenders", "paid for, and a benefit was gone", "paid after fuelling",
    "two wanted to pay for one fuelling, and one did", "closed, because somebody else took the fuelling over",
    "refused, because somebody else has paid for the fuelling",
    "filled up with less", "filled up whole", "filled up with nothing", "filled up, and refunded in parts",
    "cancelled with all that was authorised", "authorised, and the rest went back", "a card that was captured in part",
    "edited, and ordered again", "edited too late: it was paid",
    "refused, because the price has changed", "quoted again at the new price",
    "ordered at the price that was kept, while it changed",
    "in conflict with what the gateway says", "notified of what is nobody's", "retried by an operator",
    "a shortfall whose deduction was made again", "a shortfall that was settled: written off", "a shortfall that was settled: collected",
    "a conflict that was settled: kept", "a conflict that was settled: returned", "a conflict that was settled: paid otherwise",
    "a refused refund that was settled: paid otherwise", "a notification that was settled: matched",
    "a notification that was settled: given back", "a notification that was settled: ignored")
# What the comparison must have met: it shows nothing of what nobody bought.
MUST_BE_COMPARED = ("adjusted", "edited", "fuellings", "issued", "matters", "recharges")


class Day:
    def __init__(self):
        self.users = max(50, ARGUMENTS.trades // plans.TRADES_OF_A_USER)
        self.weather = Weather(ARGUMENTS.store, ARGUMENTS.seed, self.users, FAULTS,
                               {"log": {"level": "warn", "format": "json"}}, plans.ODD_PAYERS)
        self.weather.unfinished = ARGUMENTS.trades
        self.seed = self.weather.seed
        self.faults, self.lock = [], threading.Lock()
        self.rows = collections.Counter()  # (kind of what, which, how it ended): how many
        self.refusals = collections.Counter()
        self.happened = collections.Counter(dict.fromkeys(MUST_HAPPEN, 0))
        self.office = None
        self.seconds = 0

    def one(self, number):
        plan = plans.draw(self.seed, number, self.users)
        customer = ACTORS.get(plan.ending, Customer)(self.weather, number, plan)
        reason, fault = "", ""
        try:
            if plan.basket == "fuelled already":
                dispense(customer)
            reason = customer.live()
            if customer.paid_once:
                self.office.knows(customer.trade())
        except Exception as error:  # noqa: BLE001 # whatever it is, the day goes on, and tells of it
            fault = f"trade {number} ({customer.trade_no}, {customer.plan.ending}): {type(error).__name__}: {error}"
        with self.lock:
            if fault:
                self.faults.append(fault)
            for what in ("channel", "basket", "ending"):
                self.rows[what, getattr(customer.plan, what), customer.state] += 1
            if reason:
                self.refusals[reason] += 1
            self.happened.update(customer.happened)
        self.weather.finished()

    def kill_through_the_day(self):
        """Each after as much work as the others."""
        for number in range(ARGUMENTS.kills):
            at = ARGUMENTS.trades * (ARGUMENTS.kills - number) // (ARGUMENTS.kills + 1)
            while self.weather.unfinished > at:
                time.sleep(0.05)
            time.sleep(self.weather.random.random() * 0.3)
            self.weather.kill(KILLED[number % len(KILLED)])

    def kills(self):
        return sum(map(len, self.weather.kill_counts.values()))

    def tell(self, begun, over):
        while not over.wait(PROGRESS_S):
            left = self.weather.unfinished
            print(f"  {time.monotonic() - begun:5.0f} s: {ARGUMENTS.trades - left} trades over, "
                  f"{self.kills()} kills", flush=True)

    # [S3-1] [S3-2] [S3-3] [S3-15] one center serves all ends, in whatever weather
    def work(self):
        begun, over = time.monotonic(), threading.Event()
        self.weather.start(LONGEST_PAYER_MS)
        self.office = office = Office(self.weather.world.client("office"), self.seed)
        for number in range(5, self.users + 1):
            if GROWTH[number % len(GROWTH)]:
                self.weather.direct("SetGrowth", {"userId": f"U{number:04}", "growth": str(GROWTH[number % len(GROWTH)])})
        teller = threading.Thread(target=self.tell, args=(begun, over), daemon=True)
        teller.start()
        office.open()
        with concurrent.futures.ThreadPoolExecutor(ARGUMENTS.at_once) as pool:
            futures = [pool.submit(self.one, number) for number in range(ARGUMENTS.trades)]
            self.kill_through_the_day()
            concurrent.futures.wait(futures)
        self.weather.sim.clear()
        office.close()
        for _ in range(20):  # what was refused meanwhile
            if not office.finish():
                break
            time.sleep(1)
        self.faults += office.faults + self.weather.settle()
        counts, lines = self.weather.check("--settled")
        self.happened.update(office.counts)
        self.faults += lines + [f"nobody was {what!r}: try more trades" for what in MUST_HAPPEN if not self.happened[what]]
        self.faults += [f"{what}: none were compared" for what in MUST_BE_COMPARED if not counts.get(what)]
        over.set()
        teller.join()
        self.seconds = time.monotonic() - begun
        return counts


def table(title, rows):
    """{(name, state): n} as a table with a column for each state, and, of several, one for all."""
    states = sorted({state for _, state in rows})
    names = sorted({name for name, _ in rows})
    heads = [*states, "all"] if len(states) > 1 else states
    wide = max(len(name) for name in [*names, title]) + 2
    print(title.ljust(wide) + "".join(f"{head:>{max(len(head), 6) + 2}}" for head in heads))
    for name in names:
        cells = [rows.get((name, state), 0) for state in states]
        print(name.ljust(wide) + "".join(f"{n:>{max(len(head), 6) + 2}}" for n, head in zip([*cells, sum(cells)], heads)))
    print()


def report(day, counts):
    weather = day.weather
    print(f"\n{ARGUMENTS.trades} trades of {day.users} users in {day.seconds:.0f} s on {ARGUMENTS.store}; {day.kills()} kills\n")
    for what in ("channel", "basket", "ending"):
        table(what, {(name, state): n for (kind, name, state), n in day.rows.items() if kind == what})
    table("what happened", {(what, "times"): n for what, n in day.happened.items()})
    table("killed", {("times", victim): len(kills) for victim, kills in weather.kill_counts.items()})
    table("unfinished when it was killed", {(name, victim): n for victim, points in weather.points.items()
                                            for name, n in points.items()})
    for title, rows in (("refused", day.refusals), ("compared", counts)):
        print(title + ": " + (", ".join(f"{n} {name}" for name, n in sorted(rows.items())) or "none"))
    for fault in day.faults[:40]:
        print("FAULT", fault)
    if ARGUMENTS.json:
        with open(ARGUMENTS.json, "w", encoding="utf-8") as file:
            json.dump({"day.trades": ARGUMENTS.trades, "day.kills": day.kills(), "day.seconds": day.seconds,
                       "day.faults": len(day.faults), "day.refused": day.refusals, "day.happened": day.happened,
                       "day.compared": counts}, file, indent=1)


def main():
    day = Day()
    print(f"a day over {ARGUMENTS.store}: {ARGUMENTS.trades} trades, {ARGUMENTS.kills} kills, --seed {day.seed}", flush=True)
    try:
        counts = day.work()
        report(day, counts)
        good = not day.faults and counts.get("faults") == 0 and day.kills() == ARGUMENTS.kills
        print("nothing missing, nothing double" if good else f"NOT right; again with --seed {day.seed}")
        if not good:
            print(day.weather.complaints())
        return 0 if good else 1
    finally:
        day.weather.close()


if __name__ == "__main__":
    sys.exit(main())
