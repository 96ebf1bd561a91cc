#!/usr/bin/python3
"""One fuelling, two trades, two centers on one database: whoever drives a trade goes away between its claim and its payment.
Whatever happens then, one of the trades is paid, and the gateway has kept the money of that one alone."""

import itertools
import signal

import harness
from instances import Instances
from patience import until
from shop import SIM, TRADE, Shop, Sim, money, state_of, tender
from test_instances import slot_of
from wire import Refused

GONE, HERE = 0, 1  # the instance that goes away, and the one that stays
PRICE = 15700
PAID, ENDED = {"PAID", "COMPLETED"}, {"CANCELLED", "FAILED", "EXPIRED"}


class Fuelling(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Instances(2, sim=["--users", "60"])
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.clients = [cls.cluster.client_of(i) for i in range(2)]
        cls.sim = Sim(cls.cluster.sim_client())
        cls.numbers = itertools.count(1)

    def setUp(self):
        self.owners = self.cluster.until_balanced()
        self.gone = self.cluster.centers[GONE]

    # ---- Trades -----------------------------------------------------------------------------------------------------

    def dispensed(self):
        serial = f"E2E-{next(self.numbers)}"
        self.sim.client.call(SIM + "AddPumpRecord", {
            "stationId": "S001", "nozzle": "1", "serial": serial, "oilCode": "92#", "volumeCenti": "2000",
            "unitPrice": money(785), "amount": money(PRICE)})
        return serial

    def quoted(self, serial, driven_by):
        """Of a user of its own, without benefits; in a slot of this instance."""
        shop = Shop(self.clients[HERE], user=f"U{next(self.numbers) % 50 + 5:04}")
        line = {"fuel": {"oilCode": "92#", "nozzle": "1", "pumpSerial": serial}}
        while True:
            quoted = shop.client.call(TRADE + "Quote", shop._fields({"context": shop.context, "lines": [line], "maxCombinations": 10}))
            if slot_of(quoted.trade_no) in self.owners[driven_by]:
                return shop, quoted

    def order(self, serial, driven_by, **fields):
        """Asked for; it may take until somebody drives both."""
        shop, quoted = self.quoted(serial, driven_by)
        combination = quoted.quote.combinations[-1].combination_id
        request = {"tradeNo": quoted.trade_no, "quoteVersion": quoted.quote.version, "combinationId": combination,
                   "mode": "ORDER_MODE_DEDUCT_LATER", **fields}
        try:
            shop.client.call(TRADE + "PlaceOrder", shop._fields(request))
        except Refused as refused:  # for good: the trade says so, too
            self.assertEqual("SOURCE_PAID", refused.reason)
        return shop, quoted.trade_no

    def state(self, trade_no):
        return state_of(self.clients[HERE].call(TRADE + "GetTrade", {"tradeNo": trade_no}).trade)

    def until_state(self, trade_no, states):
        until(lambda: self.state(trade_no) in states, lambda: f"{trade_no} is {self.state(trade_no)}, not one of {states}")

    def offered(self, serial, driven_by):
        """Claimed, ordered, and offered to a payer who has not paid yet; with the tender's number."""
        shop, trade_no = self.order(serial, driven_by, waitMs=20000)
        self.assertEqual("ORDERED", self.state(trade_no))
        return trade_no, self.offer(shop, trade_no)

    def offer(self, shop, trade_no):
        trade = shop.get(trade_no)
        return shop.pay(trade, [tender("WECHAT", trade.payable.minor_units, "nobody")]).attempt.tenders[0].tender_no

    def kept(self, trade_no):
        """What the gateway has of it."""
        return sum({"paid": 1, "refunded": -1}.get(entry.kind, 0) * entry.amount.minor_units
                   for entry in self.sim.ledger("payment", trade_no))

    def until_kept(self, trade_no, due):
        until(lambda: self.kept(trade_no) == due, lambda: f"{trade_no}: {self.kept(trade_no)} are kept, not {due}")

    def one_is_paid(self, *trades):
        """Which one."""
        for trade_no in trades:
            self.until_state(trade_no, PAID | ENDED)
        paid = [trade_no for trade_no in trades if self.state(trade_no) in PAID]
        self.assertEqual(1, len(paid), [self.state(trade_no) for trade_no in trades])
        for trade_no in trades:
            self.until_kept(trade_no, PRICE if trade_no in paid else 0)
        return paid[0]

    # ---- Whoever drives it goes away ----------------------------------------------------------------------------------

    def taken_over(self):
        self.cluster.until_owners(lambda owners: not owners[GONE], "nobody took over")

    def back(self):
        self.gone.launch().wait_ready()

    def killed(self):
        self.gone.kill()
        self.addCleanup(self.back)

    def leaves(self):
        self.gone.stop()
        self.addCleanup(self.back)

    def silent(self):
        self.gone.signal(signal.SIGSTOP)
        self.addCleanup(self.gone.signal, signal.SIGCONT)

    def race(self, goes):
        """The older trade's driver goes between its claim and its payment: the newer one is ordered, and payers pay, before
        and after somebody else drives the older one."""
        pairs = [(serial, *self.offered(serial, GONE)) for serial in (self.dispensed() for _ in range(4))]
        goes()
        newer = []
        for number, (serial, older, their_tender) in enumerate(pairs):
            if number == 1:  # paid while nobody drives it
                self.sim.payer_pays(their_tender, force=True)
            if number == 3:  # paid, and known to be, before the newer one is ordered
                self.sim.payer_pays(their_tender, force=True)
                self.taken_over()
                self.until_state(older, PAID)
            newer.append(self.order(serial, HERE, waitMs=0))
        for number, (shop, trade_no) in enumerate(newer):
            self.until_state(trade_no, {"ORDERED"} | ENDED)
            if self.state(trade_no) == "ORDERED":
                self.sim.payer_pays(self.offer(shop, trade_no))
                self.until_state(trade_no, PAID)
            if number == 2:  # much too late
                self.sim.payer_pays(pairs[number][2], force=True)
        return [(older, trade_no) for (_, older, _), (_, trade_no) in zip(pairs, newer)]

    def judge(self, pairs):
        winners = [self.one_is_paid(*pair) for pair in pairs]
        self.assertEqual(pairs[0][1], winners[0], "nobody paid the older one")
        self.assertEqual(pairs[2][1], winners[2], "its money came too late")
        self.assertEqual(pairs[3][0], winners[3], "it was paid already")
        for stats in self.sim.stats().values():
            self.assertEqual(0, stats.took_effect_twice, stats.system)

    # [A62] the driver of the older trade is killed
    def test_one_is_paid_when_the_driver_dies(self):
        self.judge(self.race(self.killed))

    # [A62] it stops in good order, and gives its work away
    def test_one_is_paid_when_the_driver_leaves(self):
        self.judge(self.race(self.leaves))

    # [A62] [E7] it is silent for so long that the other takes over, and then goes on with what it knew
    def test_one_is_paid_when_the_driver_comes_back_with_what_it_knew(self):
        pairs = self.race(self.silent)
        self.judge(pairs)
        self.gone.signal(signal.SIGCONT)
        self.gone.wait_ready()  # it starts anew
        self.cluster.until_balanced()
        self.judge(pairs)

    # [A62] the driver of the newer trade dies while its claim waits until the older one is definite
    def test_one_is_paid_when_the_driver_of_a_waiting_claim_dies(self):
        serial = self.dispensed()
        older, their_tender = self.offered(serial, HERE)
        self.sim.fault("DOWN", "payment", "ClosePayment")
        shop, newer = self.order(serial, GONE, waitMs=0)
        self.until_state(older, {"CLOSING"})
        self.killed()
        self.taken_over()
        self.assertEqual("ORDERING", self.state(newer))
        self.sim.clear()
        self.until_state(newer, {"ORDERED"})
        self.sim.payer_pays(self.offer(shop, newer))
        self.until_state(newer, PAID)
        self.sim.payer_pays(their_tender, force=True)
        self.assertEqual(newer, self.one_is_paid(older, newer))


if __name__ == "__main__":
    harness.run()
