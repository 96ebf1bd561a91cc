#!/usr/bin/python3
"""Fuel, and two centers on one database: whoever drives a trade goes away in the middle of it.

One fuelling, two trades, and the driver goes between the claim and the payment of one: one of the trades is paid, and the gateway
has kept the money of that one alone. A fill-up that is authorised, and its driver goes before, while and after it is told what was
dispensed: whoever drives it then takes of the card what was used, once, and gives the rest back."""

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
USERS = 200  # nobody comes twice
AUTHORISED, OF_CARD, DISPENSED = 20000, 5000, 15000
USED_OF_CARD = OF_CARD * DISPENSED // AUTHORISED
PAID, ENDED = {"PAID", "COMPLETED"}, {"CANCELLED", "FAILED", "EXPIRED"}


class Fuelling(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Instances(2, sim=["--users", str(USERS)])
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

    def quoted(self, fuel, driven_by):
        """Of a user of its own; in a slot of this instance."""
        shop = Shop(self.clients[HERE], user=f"U{next(self.numbers) % (USERS - 10) + 5:04}")
        line = {"fuel": {"oilCode": "92#", "nozzle": "1", **fuel}}
        while True:
            quoted = shop.client.call(TRADE + "Quote", shop._fields({"context": shop.context, "lines": [line], "maxCombinations": 10}))
            if slot_of(quoted.trade_no) in self.owners[driven_by]:
                return shop, quoted

    def order(self, serial, driven_by, **fields):
        """Asked for; it may take until somebody drives both."""
        return self.order_fuel({"pumpSerial": serial}, driven_by, **fields)

    def order_fuel(self, fuel, driven_by, **fields):
        """Without benefits."""
        shop, quoted = self.quoted(fuel, driven_by)
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

    # ---- Fill-ups -----------------------------------------------------------------------------------------------------

    def authorised(self, driven_by):
        """With a card and a payer, who is yet to pay: the trade, and the payer's tender."""
        shop, trade_no = self.order_fuel({"amount": money(AUTHORISED), "authorised": True}, driven_by, waitMs=20000)
        card = shop.context["userId"].replace("U", "C")
        paying = shop.pay(shop.get(trade_no), [tender("CARD", OF_CARD, card), tender("WECHAT", AUTHORISED - OF_CARD, "nobody")])
        return shop, trade_no, paying.attempt.tenders[1].tender_no

    def filling_up(self):
        """Authorised and paid."""
        shop, trade_no, their_tender = self.authorised(GONE)
        self.sim.payer_pays(their_tender)
        self.until_state(trade_no, {"PAID"})
        return shop, trade_no

    def insist(self, shop, method, **fields):
        """Until somebody drives it. What was heard by whoever is gone is not done twice."""
        request = shop._fields(fields)

        def answered():
            try:
                return shop.client.call(TRADE + method, request)
            except Refused as refused:
                if not refused.is_passing:
                    raise
                return None

        return until(answered, "nobody drives it")

    def adjust(self, shop, trade_no):
        return self.insist(shop, "Adjust", tradeNo=trade_no, lines=[{"index": 0, "amount": money(DISPENSED)}])

    def of_card(self, trade_no, kind):
        return sum(entry.amount.minor_units for entry in self.sim.ledger("card", trade_no) if entry.kind == kind)

    def is_settled(self, trade_no, state, of_card, of_payer):
        """The trade is there, and that was taken for good, of the card and of the payer, once."""
        self.until_state(trade_no, {state})
        self.until_kept(trade_no, of_payer)
        until(lambda: self.of_card(trade_no, "release") == OF_CARD - of_card, f"{trade_no}: the card is still frozen")
        self.assertEqual((OF_CARD, of_card, 0), tuple(self.of_card(trade_no, kind) for kind in ("freeze", "confirm", "refund")))
        trade = self.clients[HERE].call(TRADE + "GetTrade", {"tradeNo": trade_no}).trade
        self.assertEqual((AUTHORISED, of_card + of_payer), (trade.authorised.minor_units, trade.paid.minor_units))

    def fill_up(self, goes):
        """Four fill-ups, whose driver goes away in the middle of each. Returns what each must come to."""
        self.addCleanup(self.sim.clear)
        offered_to, offered, their_tender = self.authorised(GONE)
        awaiting, awaited = self.filling_up()
        capturing, captured = self.filling_up()
        cancelling, cancelled = self.filling_up()
        for method in ("ConfirmCard", "ReleaseCard"):  # it is done, and nobody hears of it
            self.sim.fault("NO_ANSWER", "card", method)
        self.sim.fault("DOWN", "payment", "RefundPayment")
        self.adjust(capturing, captured)
        self.insist(cancelling, "Cancel", tradeNo=cancelled, waitMs=0)
        until(lambda: self.of_card(captured, "confirm") and self.of_card(cancelled, "release"), "nothing was asked of the cards")
        goes()
        self.sim.payer_pays(their_tender)  # while nobody drives it
        self.adjust(awaiting, awaited)
        self.taken_over()
        self.sim.clear()
        self.until_state(offered, {"PAID"})
        self.adjust(offered_to, offered)
        used = ("COMPLETED", USED_OF_CARD, DISPENSED - USED_OF_CARD)
        return [(offered, *used), (awaited, *used), (captured, *used), (cancelled, "REFUNDED", 0, 0)]

    def settle_up(self, settled):
        for trade in settled:
            self.is_settled(*trade)
        for stats in self.sim.stats().values():
            self.assertEqual(0, stats.took_effect_twice, stats.system)

    # [A63] [A29] its driver is killed
    def test_a_fill_up_is_settled_once_when_its_driver_dies(self):
        self.settle_up(self.fill_up(self.killed))

    # [A63] it stops in good order, and gives its work away
    def test_a_fill_up_is_settled_once_when_its_driver_leaves(self):
        self.settle_up(self.fill_up(self.leaves))

    # [A63] [E7] it is silent for so long that the other takes over, and then goes on with what it knew
    def test_a_fill_up_is_settled_once_when_its_driver_comes_back_with_what_it_knew(self):
        settled = self.fill_up(self.silent)
        self.settle_up(settled)
        self.gone.signal(signal.SIGCONT)
        self.gone.wait_ready()  # it starts anew
        self.cluster.until_balanced()
        self.settle_up(settled)


if __name__ == "__main__":
    harness.run()
