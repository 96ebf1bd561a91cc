"""What the day's trades are: each is drawn from these tables, by the seed and its number, so that a seed is a day."""

import dataclasses
import random

from shop import money, tender
from weather import PAYERS

STATIONS = 4
OILS = ("92#", "95#", "98#", "0#")  # of nozzles 1..4
TRADES_OF_A_USER = 4
AT_ONCE = 100  # users who buy at the same time: the trades of one are near each other, and want the same benefits
NOBODY = "till"  # the channel in which it is not known who buys
LATER, LOCKS = "DEDUCT_LATER", "LOCK_FIRST"
# Of these the gateway says what is not so: of how much, in what, to whom was paid.
ODD_PAYERS = {"payer-odd-amount": "WRONG_AMOUNT", "payer-odd-currency": "WRONG_CURRENCY",
              "payer-odd-merchant": "WRONG_MERCHANT"}


@dataclasses.dataclass
class Plan:
    """One trade: who buys what, through which channel, how it is paid, and how it is to end."""

    user: str
    card: str
    rival: str  # another user
    station: str
    channel: str
    basket: str
    way: str
    ending: str
    mode: str
    lines: list
    tenders: list
    rounds_off: bool  # what is paid in cash
    copies: int  # of each request at once


def _fuel_by_amount(chance, _card):
    return [{"fuel": {"oilCode": chance.choice(OILS), "amount": money(chance.randrange(5000, 60000))}}]


def _fuel_by_volume(chance, _card):
    nozzle = chance.randrange(4)
    return [{"fuel": {"oilCode": OILS[nozzle], "nozzle": str(nozzle + 1),
                      "volumeCenti": str(chance.randrange(500, 8000))}}]


def _fill_up(chance, _card):
    nozzle = chance.randrange(4)
    most = {"amount": money(chance.randrange(10, 60) * 1000)} if chance.random() < 0.7 else {
        "volumeCenti": str(chance.randrange(10, 80) * 100)}
    return [{"fuel": {"oilCode": OILS[nozzle], "nozzle": str(nozzle + 1), "authorised": True, **most}}]


def _fuelled_already(chance, _card):
    """What the pump has for it, is told it when somebody has fuelled (forecourt.py)."""
    nozzle = chance.randrange(4)
    return [{"fuel": {"oilCode": OILS[nozzle], "nozzle": str(nozzle + 1), "pumpSerial": f"D{chance.randrange(10**12)}"}}]


def _goods(chance, _card):
    skus = chance.sample(("W500", "COLA", "OIL4L" if chance.random() < 0.05 else "W500"), chance.randrange(1, 3))
    return [{"goods": {"sku": sku, "quantity": str(chance.randrange(1, 3))}} for sku in dict.fromkeys(skus)]


def _mixed(chance, card):
    return _fuel_by_amount(chance, card) + _goods(chance, card)


def _item(chance, _card):
    return [{"goods": {"sku": "WHEEL", "quantity": str(chance.randrange(1, 4))}}]


def _recharge(chance, card):
    return [{"recharge": {"cardNo": card, "amount": money(chance.randrange(10000, 100000))}}]


BASKETS = {  # name: (weight, its lines)
    "fuel by amount": (33, _fuel_by_amount),
    "fuel by volume": (20, _fuel_by_volume),
    "fuelled already": (7, _fuelled_already),
    "goods": (10, _goods),
    "fuel and goods": (18, _mixed),
    "recharge": (8, _recharge),
    "other item": (4, _item),
    "fill-up": (0, _fill_up),  # only with the endings that say what was dispensed
}
LITTLE = ("recharge", "other item", "goods")  # balance is not bought with balance, and little things not by parts
OF_A_USER = ("recharge", "other item")

# A channel is data to the center: these differ in what is sent, and nowhere in its code. The last tender takes the rest.
CHANNELS = {  # name: (weight, the calls it makes, the modes it orders in, how it is paid)
    "merchant": (22, ("order and pay", "step by step"), (LOCKS,), (("CASH",), ("SCANNED",), ("CARD", "CASH"), ("BANK_CARD",))),
    "senseless": (12, ("all in one",), (LATER,), (("SCANNED",), ("CARD", "SCANNED"))),
    "wechat": (28, ("step by step", "order and pay", "all in one"), (LOCKS, LATER),
               (("WECHAT",), ("CARD", "WECHAT"), ("ALIPAY", "WECHAT"), ("CARD", "ALIPAY", "WECHAT"))),
    "app": (16, ("step by step", "order and pay", "all in one"), (LOCKS, LATER),  # in which there are activities
            (("WECHAT",), ("WECHAT",), ("ALIPAY",), ("CARD", "WECHAT"))),
    "os": (12, ("step by step", "all in one"), (LATER,), (("CASH",), ("BANK_CARD",), ("CARD", "BANK_CARD"))),
    NOBODY: (10, ("step by step", "order and pay", "all in one"), (LOCKS, LATER), (("CASH",), ("SCANNED",), ("BANK_CARD",))),
}


@dataclasses.dataclass
class Ending:
    """What becomes of a trade; it may demand how the trade is made."""

    weight: int
    stepwise: bool = False  # it only makes sense when the calls are made one by one
    basket: str = ""
    channel: str = ""
    mode: str = ""
    paid: tuple = ()
    odd: bool = False  # by one of those of whom the gateway says what is not so


ENDINGS = {
    "kept": Ending(46),
    "cancelled before it is paid": Ending(6, stepwise=True),
    "cancelled while it is paid": Ending(6),
    "expires": Ending(4, stepwise=True),
    "refunded whole": Ending(8),
    "refunded by amount, in parts at once": Ending(8),
    "refunded by lines": Ending(6),
    "changed again and again": Ending(8, stepwise=True),
    "edited when it is ordered": Ending(3, stepwise=True, channel="wechat", mode=LATER),
    "edited while it is paid": Ending(4, stepwise=True, channel="app", mode=LATER, paid=("WECHAT",)),
    "its price changes": Ending(3, stepwise=True, basket="fuel by volume"),
    "two want to pay for it": Ending(4, stepwise=True, basket="fuelled already", channel="wechat", mode=LATER, paid=("WECHAT",)),
    "filled up with less": Ending(5, basket="fill-up"),
    "filled up whole": Ending(2, basket="fill-up"),
    "filled up with nothing": Ending(2, basket="fill-up"),
    "filled up, and refunded in parts": Ending(2, basket="fill-up"),
    "cancelled before it is filled up": Ending(2, basket="fill-up"),
    "its gateway is wrong": Ending(4, basket="fuel by amount", channel="wechat", paid=("WECHAT",), odd=True),
}


def _drawn(chance, weighted):
    names = list(weighted)
    return chance.choices(names, [weighted[name][0] if isinstance(weighted[name], tuple) else weighted[name].weight
                                  for name in names])[0]


def _tenders(chance, kinds, card, odd):
    """All but the last of an amount of their own, which is small beside what is bought."""
    payer = chance.choice(list(ODD_PAYERS)) if odd else f"payer-{chance.randrange(PAYERS)}"
    accounts = {"CARD": card, "CASH": "", "SCANNED": f"code-{payer}"}
    made = [tender(kind, chance.randrange(100, 1000), accounts.get(kind, payer)) for kind in kinds[:-1]]
    return made + [tender(kinds[-1], None, accounts.get(kinds[-1], payer))]


def kinds_of(tenders):
    return [made["kind"] for made in tenders]


def draw_lines(chance, basket, card):
    return BASKETS[basket][1](chance, card)


def draw(seed, number, users):
    """The plan of trade `number`, the same for the same seed."""
    chance = random.Random(f"{seed}/{number}")
    user, rival = (5 + (number // TRADES_OF_A_USER + place) % (users - 4)  # behind the world's special ones
                   for place in chance.sample(range(min(AT_ONCE, users - 4)), 2))
    card = f"C{user:04}"
    channel, basket, ending = _drawn(chance, CHANNELS), _drawn(chance, BASKETS), _drawn(chance, ENDINGS)
    demands = ENDINGS[ending]
    channel, basket = demands.channel or channel, demands.basket or basket
    if channel == NOBODY and basket in OF_A_USER:
        basket = "goods"
    _, ways, modes, paid = CHANNELS[channel]
    kinds = demands.paid or chance.choice(paid)
    if basket in LITTLE:
        kinds = kinds[-1:]
    return Plan(user="" if channel == NOBODY else f"U{user:04}", card=card, rival=f"U{rival:04}",
                station=f"S{chance.randrange(STATIONS) + 1:03}", channel=channel, basket=basket,
                way="step by step" if demands.stepwise else chance.choice(ways), ending=ending,
                mode="ORDER_MODE_" + (demands.mode or chance.choice(modes)), lines=draw_lines(chance, basket, card),
                tenders=_tenders(chance, kinds, card, demands.odd), rounds_off=kinds == ("CASH",) and chance.random() < 0.5,
                copies=3 if chance.random() < 0.2 else 1)
