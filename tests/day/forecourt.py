"""What happens at the pumps: fill-ups that are authorised and adjusted, fuel that is paid for when it is in the tank, two
callers who want to pay for one fuelling, and prices that change between the quote and the fuelling."""

import concurrent.futures
import contextlib
import dataclasses
import time

from customer import PAID, Customer, Fault
from shop import money
from weather import PAYERS
from wire import Refused

CENTI = 100  # parts of a unit of volume
# Why one of two who want to pay for a fuelling may be told no.
BEATEN = ("SOURCE_PAID", "SOURCE_TAKEN", "TRADE_ENDED", "NOT_PAYABLE", "ALREADY_PAID", "PAYMENT_IN_PROGRESS", "PAYMENT_FAILED")
ROUNDS = 4


def cost_of(volume_centi, unit_price):
    """Half a minor unit is rounded up."""
    return (volume_centi * unit_price * 2 + CENTI) // (CENTI * 2)


def dispense(customer):
    """What was planned is in the tank, before anybody has quoted it."""
    fuel = customer.plan.lines[0]["fuel"]
    volume, price = customer.random.randrange(500, 6000), customer.random.randrange(720, 930)
    customer.weather.direct("AddPumpRecord", {
        "stationId": customer.plan.station, "nozzle": fuel["nozzle"], "serial": fuel["pumpSerial"],
        "oilCode": fuel["oilCode"], "volumeCenti": str(volume), "unitPrice": money(price),
        "amount": money(cost_of(volume, price))})


def tenders_of(trade):
    """None where nothing was payable."""
    return trade.attempts[-1].tenders if trade.attempts else []


class Filler(Customer):
    """Pays with the most that may be dispensed, fills up, and has it adjusted."""

    ENDINGS = ("filled up with less", "filled up whole", "filled up with nothing", "filled up, and refunded in parts",
               "cancelled before it is filled up")

    def act(self):
        self.buy()
        if self.wait_for_payment() not in PAID:
            return
        if self.plan.ending.startswith("cancelled"):
            self.cancel()
            self.check_nothing(self.wait_for_end())
            self.happened["cancelled with all that was authorised"] += 1
            return
        self.adjust()
        if self.plan.ending.endswith("refunded in parts"):
            self.refund_in_parts(self.wait_for_end())

    def dispensed(self, line):
        most = line.volume_centi
        if self.plan.ending == "filled up with nothing":
            return {"index": 0}
        if self.plan.ending == "filled up whole":
            return {"index": 0, "amount": money(line.list_price.minor_units)}
        return {"index": 0, "volumeCenti": str(self.random.randrange(most // 5, most)),
                "pumpPrice": money(line.unit_price.minor_units)}

    def adjust(self):
        before = self.trade()
        told = self.dispensed(before.quote.lines[0])
        self.call("Adjust", {"tradeNo": self.trade_no, "lines": [told]})
        self.check(before, self.wait_for_end(), told)

    def check_nothing(self, after):
        """Nothing was bought, and of no card was anything taken that would have had to go back."""
        taken = sum(tender.amount.minor_units for tender in tenders_of(after))
        if taken or after.paid.minor_units or any(refund.amount.minor_units for refund in after.refunds):
            raise Fault(f"{taken} was taken, {after.paid.minor_units} paid for what was cancelled before it was dispensed")

    def check(self, before, after, told):
        """The trade is what was dispensed, and no more than that was taken of anybody."""
        line, volume = after.quote.lines[0], int(told.get("volumeCenti", 0))
        amount = int(told["amount"]["minorUnits"]) if "amount" in told else cost_of(volume, line.unit_price.minor_units)
        if line.list_price.minor_units != amount or (volume and line.volume_centi != volume):
            raise Fault(f"{line.volume_centi} for {line.list_price.minor_units} is not what was dispensed: {told}")
        taken = sum(tender.amount.minor_units for tender in tenders_of(after))
        if taken != after.paid.minor_units or after.paid.minor_units > after.authorised.minor_units:
            raise Fault(f"{taken} is taken for {after.paid.minor_units}, of {after.authorised.minor_units}")
        self.happened[self.plan.ending] += 1
        self.happened["authorised, and the rest went back"] += after.unused.amount.minor_units > 0
        self.happened["a card that was captured in part"] += any(
            was.amount.minor_units > tender.amount.minor_units > 0 and tender.principal.minor_units +
            tender.bonus.minor_units == tender.amount.minor_units
            for was, tender in zip(tenders_of(before), tenders_of(after)))


class Rival(Customer):
    """One of two who want to pay for one fuelling."""

    ENDINGS = ("two want to pay for it",)

    def act(self):
        rival = Rival(self.weather, f"{self.number}-rival", dataclasses.replace(self.plan, user=self.plan.rival, copies=1))
        both = (self, rival)
        for _ in range(ROUNDS):  # the one who has taken it over may fail to pay
            with concurrent.futures.ThreadPoolExecutor(len(both)) as pool:
                for done in [pool.submit(one.want) for one in both]:
                    done.result()
            payers = [one for one in both if one.state in PAID]
            if payers:
                break
        if len(payers) != 1:
            raise Fault(f"{[(one.trade_no, one.state) for one in both]}: {len(payers)} have paid for one fuelling")
        self.happened.update(rival.happened)
        self.happened["two wanted to pay for one fuelling, and one did"] += 1

    def want(self):
        """With a payer who pays. Ends when the trade has ended, whoever was quicker."""
        payer = f"payer-{self.random.randrange(1, PAYERS)}"
        self.plan = dataclasses.replace(self.plan, tenders=[{**tender, "account": payer} for tender in self.plan.tenders])
        self.trade_no, self.state = "", "nothing"
        time.sleep(self.random.random() * 3)
        try:
            self.order(excludePoints=True)
            self.pay_or_give_up()
        except Refused as refused:
            if refused.reason not in BEATEN:
                raise
            self.happened["refused, because somebody else has paid for the fuelling"] += refused.reason == "SOURCE_PAID"
        if self.trade_no and self.trade() and self.state == "ORDERED":
            with contextlib.suppress(Refused):
                self.cancel()
        if self.state not in ("nothing", "CREATED", "QUOTED"):
            ended = self.wait_for_end()
            self.happened["closed, because somebody else took the fuelling over"] += (
                ended.reason == "SOURCE_TAKEN" and self.state == "CANCELLED")


class Reader(Customer):
    """Reads at the pump that the price is another one."""

    ENDINGS = ("its price changes",)

    def act(self):
        kept = self.quote()
        old = kept.lines[0].unit_price.minor_units
        new = old + self.random.choice((-3, -2, -1, 1, 2, 3))
        fuel = {**self.plan.lines[0]["fuel"], "pumpPrice": money(new)}
        refused = self.told(fuel)
        self.weather.direct("SetOilPrice", {"stationId": self.plan.station, "oilCode": fuel["oilCode"],
                                            "name": fuel["oilCode"], "unitPrice": money(new)})
        if refused and self.random.random() < 0.4:  # who is quick fuels at the price that was kept
            self.order_from(kept)
            price = self.trade().quote.lines[0].unit_price.minor_units
            if price != old:
                raise Fault(f"ordered at {price}, though {old} was kept")
            self.happened["ordered at the price that was kept, while it changed"] += 1
        else:
            self.order_at(fuel)
        self.pay_or_give_up()

    def told(self, fuel):
        """The pump was quicker than the price list. Whether that was refused."""
        try:
            self.quote(lines=[{"fuel": fuel}])
        except Refused as refused:
            if refused.reason != "PRICE_CHANGED":
                raise
            self.happened["refused, because the price has changed"] += 1
            return True
        return False

    def order_at(self, fuel):
        """The price list follows; should others change it meanwhile, it is as they say."""
        for _ in range(ROUNDS):
            try:
                quote = self.quote(lines=[{"fuel": fuel}])
                break
            except Refused as refused:
                if refused.reason != "PRICE_CHANGED":
                    raise
        else:
            quote = self.quote()
        self.happened["quoted again at the new price"] += (
            quote.lines[0].unit_price.minor_units == int(fuel["pumpPrice"]["minorUnits"]))
        self.order_from(quote)

    def order_from(self, quote):
        self.call("PlaceOrder", {"tradeNo": self.trade_no, "quoteVersion": quote.version,
                                 "combinationId": self.choose(quote).combination_id, **self.order_fields()})
