#!/usr/bin/python3
"""What waits to be settled, as docs/OPERATIONS.md lists it: found and settled with txctl, in each way that there is."""

import json

import harness
from aged import Sqlite
from ctl import run_txctl, state_of_saga, told, txctl, until_ended
from notice import notify_payment
from shop import COMPLETED, REFUNDED, Shop, Sim, money, state_of

REASON = ("--reason", "told by the station")


class Shortfalls(harness.Case):
    def short(self):
        """A center, the other side, and a trade whose coupon was gone when it was to be used."""
        center = self.world(sim=["--auto-pay", "20"]).start()
        sim, shop = Sim(center.sim_client()), Shop(center.client())
        sim.fault("REJECT", "coupon", "UseCoupons", count=1, code="COUPON_UNAVAILABLE")
        trade = shop.order(mode="ORDER_MODE_DEDUCT_LATER")
        shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        shop.until(trade.trade_no, "COMPLETED")
        return center, sim, trade

    # [E8] [S3-17] a shortfall: listed, settled once, with the reason kept; no stray is there
    def test_matters_and_strays_are_listed_and_settled_from_txctl(self):
        center, _, trade = self.short()
        listed = told(self, center, "matter", "list", "--trade", trade.trade_no, "--kind", "shortfall")
        [matter] = listed["matters"]
        self.assertEqual(("coupons", "COUPON_UNAVAILABLE"), (matter["what"], matter["reason"]))
        settle = ["matter", "settle", trade.trade_no, "--number", str(matter["number"]), "--reason", "goodwill"]
        self.assertNotEqual(0, txctl(self, center, *settle, "--as", "kept"))
        settled = told(self, center, *settle, "--as", "written-off")["matter"]
        self.assertEqual(("MATTER_OUTCOME_WRITTEN_OFF", "goodwill"), (settled["outcome"], settled["note"]))
        self.assertNotEqual(0, txctl(self, center, *settle, "--as", "collected"))
        self.assertFalse(told(self, center, "matter", "list", "--trade", trade.trade_no).get("matters"))
        audit = told(self, center, "audit", "list", trade.trade_no)["entries"]
        self.assertEqual([("settle-matter", "goodwill", "WRITTEN_OFF")],
                         [(entry["action"], entry["reason"], entry["after"]) for entry in audit])
        self.assertFalse(told(self, center, "stray", "list").get("strays"))
        self.assertNotEqual(0, txctl(self, center, "stray", "settle", "never-seen", "--key", "e2e", "--as", "ignored", "--reason", "none"))

    # [E8] [S3-17] [S3-49] what was gone is deducted after all when an operator says so: refused again it stays, with the newest reason
    def test_a_deduction_is_made_again_from_txctl(self):
        center, sim, trade = self.short()
        deduct = ["matter", "settle", trade.trade_no, "--number", "1", "--as", "deducted", "--reason", "it is back", "--wait", "20"]
        sim.fault("REJECT", "coupon", "UseCoupons", count=1, code="NOT_TODAY")
        again = told(self, center, *deduct)["matter"]
        self.assertEqual(("NOT_TODAY", 1), (again["reason"], again["tries"]))
        self.assertNotIn("settledAt", again)
        sim.fault("DOWN", "coupon", "UseCoupons")
        waiting = run_txctl(center, [*deduct[:-1], "0", "-o", "json"])
        self.assertEqual(4, waiting.returncode, waiting.stderr)  # accepted, and still processing
        gid = json.loads(waiting.stdout)["matter"]["gid"]
        sim.clear()
        self.assertEqual("SUCCEEDED", state_of_saga(until_ended(center.client("olga"), gid)))
        [settled] = told(self, center, "matter", "list", "--trade", trade.trade_no, "--settled")["matters"]
        self.assertEqual(("MATTER_OUTCOME_DEDUCTED", "it is back", 2), (settled["outcome"], settled["note"], settled["tries"]))
        used = [effect for effect in sim.effects("coupon", trade.trade_no) if effect.method == "UseCoupons" and effect.state == 1]
        self.assertEqual(1, len(used))


class Shops(harness.Case):
    """A center whose payers pay when the test says so, and its other side."""

    CONFIG = None

    def setUp(self):
        self.center = self.world(self.CONFIG).start()
        self.client, self.sim = self.center.client(), Sim(self.center.sim_client())
        self.users = 0

    def paying(self):
        """A trade whose payment is open, and the number of its tender."""
        self.users += 1
        shop = Shop(self.client, user=f"U{self.users:04}")
        trade = shop.order()
        shop.pay(trade)
        return shop, trade.trade_no, shop.get(trade.trade_no).attempts[0].tenders[0].tender_no

    def completed(self):
        shop, trade_no, tender_no = self.paying()
        self.sim.payer_pays(tender_no)
        shop.until(trade_no, COMPLETED)
        return shop, trade_no

    def ctl(self, *words):
        return told(self, self.center, *words)

    def open_matter(self, trade_no, kind):
        [matter] = self.ctl("matter", "list", "--trade", trade_no, "--kind", kind)["matters"]
        return matter

    def settle(self, trade_no, matter, outcome, *more):
        return self.ctl("matter", "settle", trade_no, "--number", str(matter["number"]), "--as", outcome, *REASON, *more)["matter"]

    def settled(self, trade_no):
        """How its matters were settled, and that none is open."""
        self.assertFalse(self.ctl("matter", "list", "--trade", trade_no).get("matters"))
        return [matter["outcome"].removeprefix("MATTER_OUTCOME_")
                for matter in self.ctl("matter", "list", "--trade", trade_no, "--settled")["matters"]]

    def refunded(self, trade_no):
        return sum(entry.amount.minor_units for entry in self.sim.ledger("payment", trade_no) if entry.kind == "refunded")


class Conflicts(Shops):
    def conflicting(self, kind):
        fault = self.sim.fault(kind, "payment", "NotifyPayment")
        self.assertTrue(fault)
        shop, trade_no, tender_no = self.paying()
        self.sim.payer_pays(tender_no)
        shop.until(trade_no, "CONFLICTED")
        self.sim.clear()
        return shop, trade_no, self.open_matter(trade_no, "conflict")

    # [A22] [E8] [S3-17] what does not match goes back through its channel
    def test_money_in_conflict_is_returned(self):
        shop, trade_no, matter = self.conflicting("WRONG_MERCHANT")
        self.settle(trade_no, matter, "returned")
        self.assertEqual("SUCCEEDED", state_of_saga(until_ended(self.client, f"{trade_no}/refund/late-1-0")))
        self.assertEqual("RETURNED", state_of(shop.get(trade_no).attempts[0].tenders[0]))
        self.assertEqual(shop.get(trade_no).payable.minor_units, self.refunded(trade_no))
        self.assertEqual(["RETURNED"], self.settled(trade_no))

    # [A22] [S3-17] or it is kept, and the trade is not paid by it
    def test_money_in_conflict_is_kept(self):
        shop, trade_no, matter = self.conflicting("WRONG_AMOUNT")
        self.settle(trade_no, matter, "kept")
        self.assertEqual(["KEPT"], self.settled(trade_no))
        self.assertEqual("CONFLICTED", state_of(shop.get(trade_no)))
        self.assertEqual(0, self.refunded(trade_no))
        self.assertNotEqual(0, txctl(self, self.center, "matter", "settle", trade_no, "--number", "1", "--as", "returned", *REASON))

    # [A22] [S3-17] or it was given back in another way, which has a name
    def test_money_in_conflict_is_paid_otherwise(self):
        shop, trade_no, matter = self.conflicting("WRONG_CURRENCY")
        self.assertNotEqual(0, txctl(self, self.center, "matter", "settle", trade_no, "--number", str(matter["number"]), "--as",
                                     "paid-otherwise", *REASON))
        settled = self.settle(trade_no, matter, "paid-otherwise", "--reference", "transfer 4711")
        self.assertEqual("transfer 4711", settled["reference"])
        self.assertEqual(["PAID_OTHERWISE"], self.settled(trade_no))
        self.assertEqual("RETURNED", state_of(shop.get(trade_no).attempts[0].tenders[0]))


class Payouts(Shops):
    CONFIG = {"retry": {"leisurely": {"first_ms": 10, "max_ms": 20, "attempts": 3}}}

    def not_paid_out(self):
        shop, trade_no = self.completed()
        self.sim.fault("REFUND_FAILS", "payment", "RefundPayment", count=1, code="MERCHANT_BALANCE_SHORT")
        shop.refund(shop.get(trade_no), whole=True, refundNo="P1", waitMs=0)
        for line in self.center.center.follow():
            if line["msg"].startswith("saga parked"):
                break
        return shop, trade_no, self.open_matter(trade_no, "payout")

    # [A75] [E8] [S3-17] a refund that its channel can't make is paid out otherwise, and goes on
    def test_a_refund_is_paid_otherwise(self):
        shop, trade_no, matter = self.not_paid_out()
        self.assertEqual("MERCHANT_BALANCE_SHORT", matter["text"])
        self.settle(trade_no, matter, "paid-otherwise", "--reference", "voucher 1")
        shop.until(trade_no, REFUNDED)
        self.assertEqual(["PAID_OTHERWISE"], self.settled(trade_no))
        self.assertEqual(0, self.refunded(trade_no))

    # [A45] [A75] [S3-17] or its saga is tried again, and there is nothing to settle any more
    def test_a_refund_is_tried_again(self):
        shop, trade_no, matter = self.not_paid_out()
        self.ctl("saga", "retry", matter["gid"], *REASON)
        shop.until(trade_no, REFUNDED)
        self.assertEqual(["OVER"], self.settled(trade_no))
        self.assertEqual(shop.get(trade_no).payable.minor_units, self.refunded(trade_no))


class Strays(Shops):
    def stray(self, nonce, number, amount):
        """A notification for a number that is nobody's."""
        notify_payment(self.client, nonce, number, amount=money(amount))
        strays = self.ctl("stray", "list")["strays"]
        [found] = [stray for stray in strays if stray["nonce"] == nonce]
        return ["stray", "settle", nonce, "--key", found["keyId"], *REASON]

    def outcome(self, nonce):
        self.assertFalse([stray for stray in self.ctl("stray", "list").get("strays", []) if stray["nonce"] == nonce])
        [found] = [stray for stray in self.ctl("stray", "list", "--settled")["strays"] if stray["nonce"] == nonce]
        return found["outcome"].removeprefix("STRAY_OUTCOME_")

    # [A24] [E8] [S3-17] it is about a tender of ours after all, by which the trade is paid
    def test_a_stray_is_matched(self):
        self.sim.fault("LOST_CALLBACK", "payment", "NotifyPayment")
        self.sim.fault("DOWN", "payment", "QueryPayment")  # only the callback can tell
        shop, trade_no, tender_no = self.paying()
        self.sim.payer_pays(tender_no)
        settle = self.stray("stray-matched", "typed-by-hand", shop.get(trade_no).payable.minor_units)
        self.assertNotEqual(0, txctl(self, self.center, *settle, "--as", "matched"))
        self.ctl(*settle, "--as", "matched", "--trade", trade_no, "--number", tender_no)
        shop.until(trade_no, COMPLETED)
        self.assertEqual("MATCHED", self.outcome("stray-matched"))

    # [A24] [S3-17] or it is somebody else's money, which was given back, or nothing at all
    def test_a_stray_is_given_back_or_ignored(self):
        given = self.stray("stray-given-back", "nobody's", 5)
        self.assertNotEqual(0, txctl(self, self.center, *given, "--as", "given-back"))
        self.ctl(*given, "--as", "given-back", "--reference", "transfer 1")
        self.assertEqual("GIVEN_BACK", self.outcome("stray-given-back"))
        self.ctl(*self.stray("stray-ignored", "nothing", 5), "--as", "ignored")
        self.assertEqual("IGNORED", self.outcome("stray-ignored"))


class Anomalies(Shops):
    CONFIG = {"retry": {"leisurely": {"first_ms": 10, "max_ms": 20, "attempts": 3}},
              "anomaly": {"interval_s": 1, "running_s": 1, "parked_s": 1, "rows_per_s": 1000, "checks_per_s": 1000}}

    def told_of(self, kind, trade_no):
        for line in self.center.center.follow():
            if line["msg"] == "something is wrong" and (line["reason"], line["trade_no"]) == (kind, trade_no):
                break
        return [anomaly["subject"] for anomaly in self.ctl("anomaly", "list", "--kind", kind)["anomalies"]]

    # [S3-17] in a state for too long
    def test_what_is_too_old_is_listed(self):
        _, trade_no, _ = self.paying()
        self.assertIn(trade_no, self.told_of("old", trade_no))

    # [S3-17] parked for too long
    def test_what_waits_too_long_for_an_operator_is_listed(self):
        self.sim.fault("REJECT", "settlement", count=1, code="SHIFT_CLOSED")
        _, trade_no = self.completed()
        self.assertIn(trade_no, self.told_of("waiting", trade_no))

    # [S3-17] a ledger that is not zero
    def test_amounts_that_do_not_add_up_are_listed(self):
        _, trade_no = self.completed()
        until_ended(self.client, f"{trade_no}/1")
        self.center.center.stop()
        Sqlite(self.center.folder).do(f"UPDATE trade_ledger SET amount = amount + 1 WHERE trade_no = '{trade_no}' AND entry = 1 "
                                      "AND line = 1")
        self.center.center.start()
        self.assertEqual([trade_no], self.told_of("amounts", trade_no))


if __name__ == "__main__":
    harness.run()
