"""What the transaction center does, shown with real calls. Ends with 0 when everything is as it must be."""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

PAY_MS = 400  # the payers of the demo take so long
USER, CARD = "U0001", "C0001"


def arguments():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running, and print how to call it")
    parser.add_argument("--brief", action="store_true", help="without the timelines")
    return parser.parse_args()


ARGUMENTS = arguments()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to stop

from harness import BIN, World  # noqa: E402
from patience import until  # noqa: E402
from shop import Sim  # noqa: E402

BOLD, DIM, GREEN, RED, PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else [""] * 5


class Wrong(Exception):
    pass


class Interrupted(Exception):
    pass


def interrupt(number, _):
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # what runs is being stopped already
    raise Interrupted(number)


def title(number, text):
    print(f"\n{BOLD}{number}. {text}{PLAIN}", flush=True)


def good(text):
    print(f"   {GREEN}ok{PLAIN} {text}", flush=True)


def must(holds, text):
    if not holds:
        raise Wrong(text)
    good(text)


class Demo:
    def __init__(self, world):
        self.world = world
        self.sim = Sim(world.sim_client())
        self.server = f"127.0.0.1:{world.center.ports[-1]}"

    def txctl(self, *words, show=False, expect=0):
        command = [os.path.join(BIN, "txctl"), "--server", self.server, *([] if show else ["-o", "json"]), *words]
        if not show:
            print(f"   {DIM}$ txctl {shlex.join(words)}{PLAIN}", flush=True)
        done = subprocess.run(command, capture_output=not show, text=True, check=False)
        if done.returncode != expect:
            raise Wrong(f"txctl {' '.join(words)} ended with {done.returncode}: {done.stderr or ''}")
        if show or not done.stdout:
            return done.stderr
        return json.loads(done.stdout)

    def show(self, *words):
        if not ARGUMENTS.brief:
            self.txctl(*words, show=True)

    def quote(self, amount="200.00", *more):
        return self.txctl("trade", "quote", "--tenant", "T001", "--user", USER, "--station", "S001", "--fuel",
                          f"92#:amount={amount}", *more)

    def until(self, trade_no, *states, seconds=30):
        """The trade once it is in one of these states."""
        def there():
            trade = self.get(trade_no)
            return trade if trade["state"].removeprefix("TRADE_STATE_") in states else None

        return until(there, lambda: f"{trade_no} is {self.get(trade_no)['state']} after {seconds} s, not one of {states}",
                     seconds, Wrong)

    def get(self, trade_no):
        done = subprocess.run([os.path.join(BIN, "txctl"), "--server", self.server, "-o", "json", "trade", "get", trade_no],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["trade"]

    # ---- The scenes -------------------------------------------------------------------------------------------------

    def mixed_purchase(self):
        title(1, "Fuel for 200.00, with the member's price, an activity, coupons, points, a stored-value card and WeChat")
        quoted = self.quote("200.00", "--channel", "app", "--paid-by", "card", "--paid-by", "wechat")
        best = quoted["quote"]["combinations"][0]
        payable = int(best["payable"]["minorUnits"])
        sources = {benefit["source"].removeprefix("BENEFIT_SOURCE_") for benefit in best["benefits"]}
        must(sources == {"LEVEL", "ACTIVITY", "COUPON"} and int(best["points"]) > 0,
             f"the best of {len(quoted['quote']['combinations'])} combinations: "
             f"{', '.join(benefit['benefitId'] for benefit in best['benefits'])} and {best['points']} points, "
             f"payable {payable / 100:.2f}")
        trade_no = quoted["tradeNo"]
        self.txctl("trade", "order", trade_no, "--version", "1", "--combination", "1")
        self.txctl("trade", "pay", trade_no, "--tender", f"card=25.00:{CARD}", "--tender",
                   f"wechat={(payable - 2500) / 100:.2f}:openid-1")
        trade = self.until(trade_no, "COMPLETED")
        must(trade["paid"]["minorUnits"] == str(payable), "paid by both tenders, completed")
        self.show("saga", "trace", trade_no)
        return trade_no

    def lost_answer(self):
        title(2, "The payment gateway takes the order and its answer is lost: found by asking, not paid twice")
        quoted = self.quote("100.00")
        trade_no = quoted["tradeNo"]
        self.txctl("trade", "order", trade_no, "--version", "1", "--combination",
                   quoted["quote"]["combinations"][-1]["combinationId"])
        self.sim.fault("NO_ANSWER", "payment", "CreatePayment", count=1)
        self.txctl("trade", "pay", trade_no, "--tender", "wechat=100.00:openid-1", "--wait", "20")
        self.until(trade_no, "COMPLETED")
        attempts = self.txctl("saga", "get", f"{trade_no}/pay/1")["saga"]["attempts"]
        must(any(a["stepName"] == "create" and a["outcome"] == "UNKNOWN" for a in attempts),
             "the attempt without an answer is kept as UNKNOWN, never as failed")
        creates = [e for e in self.sim.ledger("payment", trade_no) if e.kind == "create"]
        must(len(creates) == 1, "the gateway has one payment")
        self.show("saga", "trace", f"{trade_no}/pay/1")

    def killed(self):
        title(3, "txcenterd is killed with SIGKILL after the watershed, and goes on after its restart")
        fault = self.sim.fault("DOWN", "order", "MarkPaid")
        quoted = self.quote("150.00")
        trade_no = quoted["tradeNo"]
        self.txctl("trade", "order", trade_no, "--version", "1")
        payable = int(quoted["quote"]["combinations"][0]["payable"]["minorUnits"]) / 100
        self.txctl("trade", "pay", trade_no, "--tender", f"wechat={payable:.2f}:openid-1")
        self.until(trade_no, "PAID")
        self.world.center.kill()
        good(f"PAID, and killed (pid gone); fault {fault} keeps the order system away")
        self.sim.clear()
        begun = time.monotonic()
        self.world.center.start()
        self.server = f"127.0.0.1:{self.world.center.ports[-1]}"
        self.until(trade_no, "COMPLETED")
        good(f"restarted and COMPLETED {time.monotonic() - begun:.1f} s later, nothing done twice")
        self.show("saga", "trace", f"{trade_no}/1")

    def rejected_lock(self):
        title(4, "The coupon system refuses the lock: the order fails and everything is undone")
        quoted = self.quote("200.00")
        trade_no = quoted["tradeNo"]
        with_coupon = next(c for c in quoted["quote"]["combinations"] if c.get("couponIds"))
        self.sim.fault("REJECT", "coupon", "LockCoupons", count=1, code="COUPON_UNAVAILABLE")
        refused = self.txctl("trade", "order", trade_no, "--version", "1", "--combination",
                             with_coupon["combinationId"], expect=1)
        must(refused is None or "BENEFIT_UNAVAILABLE" in refused, "refused with BENEFIT_UNAVAILABLE")
        trade = self.until(trade_no, "FAILED")
        must(not trade.get("orderNo"), "no order, no lock is left")
        self.show("saga", "trace", f"{trade_no}/1")

    def refunds(self, trade_no):
        title(5, "A refund in part, then of the rest: every tender gets its share, points, coupons and quota come back")
        paid = int(self.get(trade_no)["paid"]["minorUnits"])
        first = self.txctl("trade", "refund", trade_no, "--amount", "40.00", "--reason", "less fuel")["refund"]
        parts = [int(leg["amount"]["minorUnits"]) for leg in first["legs"]]
        must(sum(parts) == 4000, f"40.00 back: {' + '.join(f'{p / 100:.2f}' for p in parts)} by tender")
        rest = self.txctl("trade", "refund", trade_no, "--whole", "--reason", "the rest")["refund"]
        parts = [int(leg["amount"]["minorUnits"]) for leg in rest["legs"]]
        must(sum(parts) == paid - 4000 and rest["final"], f"{(paid - 4000) / 100:.2f} back, nothing is left")
        self.until(trade_no, "REFUNDED")
        self.show("trade", "get", trade_no)

    def settle(self):
        """Until nothing is under way any more."""
        until(lambda: not self.txctl_quiet("saga", "list", "--unfinished").get("sagas"),
              "sagas are still under way after 30 s", 30, Wrong)

    def txctl_quiet(self, *words):
        done = subprocess.run([os.path.join(BIN, "txctl"), "--server", self.server, "-o", "json", *words],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def check(self):
        title(6, "The center's ledger and every participant's, compared to the unit")
        self.settle()
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", self.server, "--sim", self.world.sim_target],
                              capture_output=True, text=True, check=False)
        print("   " + done.stdout.strip().replace("\n", "\n   "), flush=True)
        must(done.returncode == 0, "they agree")


def main():
    begun = time.monotonic()
    world = World(config={"log": {"level": "info", "format": "json"}}, sim=["--auto-pay", str(PAY_MS)])
    kept = False
    for program in (world.center, world.sim):
        program.own_session = True
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        world.start()
        demo = Demo(world)
        print(f"txsim and txcenterd run in {world.folder}", flush=True)
        bought = demo.mixed_purchase()
        demo.lost_answer()
        demo.killed()
        demo.rejected_lock()
        demo.refunds(bought)
        demo.check()
        print(f"\n{GREEN}The demo ended well{PLAIN} after {time.monotonic() - begun:.0f} s.")
        kept = ARGUMENTS.keep
        if kept:
            txctl = os.path.relpath(os.path.join(BIN, "txctl"))
            print(f"\nEverything keeps running. Call it:\n  {txctl} --server {demo.server} trade list\n"
                  f"Stop it:\n  kill {world.center.pid} {world.sim.pid}; rm -r {world.folder}")
        return 0
    except Interrupted as interrupted:
        print("\ninterrupted; stopping what was started", file=sys.stderr, flush=True)
        return 128 + interrupted.args[0]
    except (Wrong, AssertionError, subprocess.CalledProcessError) as wrong:
        print(f"\n{RED}The demo failed:{PLAIN} {wrong}\n--- the end of txcenterd's log", file=sys.stderr)
        print("\n".join(world.center.log().splitlines()[-15:]), file=sys.stderr)
        return 1
    finally:
        if not kept:
            world.close()


if __name__ == "__main__":
    sys.exit(main())
