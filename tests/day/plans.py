"""What the day's trades are: each is drawn from these tables, by the seed and its number, so that a seed is a day."""

import dataclasses
import random

from shop import money, tender
from weather import PAYERS

STATIONS = 4
OILS = ("92#", "95#", "98#", "0#")  # of nozzles 1..4


@dataclasses.dataclass
class Plan:
    """One trade: who buys what, through which channel, how it is paid, and how it is to end."""

    user: str
    card: str
    station: str
    channel: str
    basket: str
    way: str
    ending: str
    mode: str
    lines: list
    tenders: list
    copies: int  # of each request at once


def _fuel_by_amount(chance, _card):
    return [{"fuel": {"oilCode": chance.choice(OILS), "amount": money(chance.randrange(5000, 60000))}}]


def _fuel_by_volume(chance, _card):
    nozzle = chance.randrange(4)
    return [{"fuel": {"oilCode": OILS[nozzle], "nozzle": str(nozzle + 1),
                      "volumeCenti": str(chance.randrange(500, 8000))}}]


def _goods(chance, _card):
    skus = chance.sample(("W500", "COLA", "OIL4L" if chance.random() < 0.05 else "W500"), chance.randrange(1, 3))
    return [{"goods": {"sku": sku, "quantity": str(chance.randrange(1, 3))}} for sku in dict.fromkeys(skus)]


def _mixed(chance, card):
    return _fuel_by_amount(chance, card) + _goods(chance, card)


def _item(chance, _card):
    return [{"goods": {"sku": "WHEEL", "quantity": str(chance.randrange(1, 4))}}]


def _recharge(chance, card):
    return [{"recharge": {"cardNo": card, "amount": money(chance.randrange(10000, 50000))}}]


BASKETS = {  # name: (weight, its lines)
    "fuel by amount": (35, _fuel_by_amount),
    "fuel by volume": (20, _fuel_by_volume),
    "goods": (12, _goods),
    "fuel and goods": (20, _mixed),
    "recharge": (8, _recharge),
    "other item": (5, _item),
}

# A channel is data to the center: these differ in what is sent, and nowhere in its code. The last tender takes the rest.
CHANNELS = {  # name: (weight, the calls it makes, the modes it orders in, how it is paid)
    "merchant": (30, ("order and pay", "step by step"), ("LOCK_FIRST",),
                 (("CASH",), ("SCANNED",), ("CARD", "CASH"), ("BANK_CARD",))),
    "senseless": (15, ("all in one",), ("DEDUCT_LATER",), (("SCANNED",), ("CARD", "SCANNED"))),
    "wechat": (40, ("step by step", "order and pay", "all in one"), ("LOCK_FIRST", "DEDUCT_LATER"),
               (("WECHAT",), ("CARD", "WECHAT"), ("ALIPAY", "WECHAT"), ("CARD", "ALIPAY", "WECHAT"))),
    "os": (15, ("step by step", "all in one"), ("DEDUCT_LATER",), (("CASH",), ("BANK_CARD",), ("CARD", "BANK_CARD"))),
}

ENDINGS = {  # name: weight
    "kept": 50,
    "cancelled before it is paid": 6,
    "cancelled while it is paid": 6,
    "expires": 4,
    "refunded whole": 8,
    "refunded by amount, in parts at once": 8,
    "refunded by lines": 6,
    "changed again and again": 12,
}

# What only makes sense when the calls are made one by one.
STEPWISE = ("cancelled before it is paid", "expires", "changed again and again")


def _drawn(chance, weighted):
    names = list(weighted)
    return chance.choices(names, [weighted[name][0] if isinstance(weighted[name], tuple) else weighted[name]
                                  for name in names])[0]


def _tenders(chance, kinds, card):
    """All but the last of an amount of their own, which is small beside what is bought."""
    payer = f"payer-{chance.randrange(PAYERS)}"
    accounts = {"CARD": card, "CASH": "", "SCANNED": f"code-{payer}"}
    made = [tender(kind, chance.randrange(100, 1000), accounts.get(kind, payer)) for kind in kinds[:-1]]
    return made + [tender(kinds[-1], None, accounts.get(kinds[-1], payer))]


def draw(seed, number, users):
    """The plan of trade `number`, the same for the same seed."""
    chance = random.Random(f"{seed}/{number}")
    user = chance.randrange(5, users + 1)  # behind the world's special ones
    card = f"C{user:04}"
    channel, basket, ending = _drawn(chance, CHANNELS), _drawn(chance, BASKETS), _drawn(chance, ENDINGS)
    _, ways, modes, paid = CHANNELS[channel]
    kinds = chance.choice(paid)
    if basket in ("recharge", "other item", "goods"):
        kinds = kinds[-1:]  # balance is not bought with balance, and little things not by parts
    return Plan(user=f"U{user:04}", card=card, station=f"S{chance.randrange(STATIONS) + 1:03}", channel=channel,
                basket=basket, way="step by step" if ending in STEPWISE else chance.choice(ways), ending=ending,
                mode="ORDER_MODE_" + chance.choice(modes), lines=BASKETS[basket][1](chance, card),
                tenders=_tenders(chance, kinds, card), copies=3 if chance.random() < 0.2 else 1)
