"""What can be put into the fields of a message: absurd values by type, in VALUES, for fields found by reflection."""

from google.protobuf.descriptor import FieldDescriptor as F

MONEY = "txcenter.type.v1.Money"
DEPTH_MAX = 5

INTEGERS = (0, 1, -1, 2, 10, 100, 101, 1000, 30000, 30001, 2**31 - 1, -2**31, 2**31, 10**15, 10**15 + 1, -10**15, 10**18,
            2**63 - 1, -2**63, 2**53, 253402300799, 253402300800, -62135596801)
AMOUNTS = (0, 1, -1, 100, 20000, 10**15, 10**15 + 1, 2**63 - 1, -2**63, -10**15, 2**62)
CURRENCIES = ("CNY", "CNY", "USD", "", "cny", "CNYX", "C", "¥", "CN\0", "X" * 1000)
TEXTS = ("", " ", "x", "0", "-1", "x" * 10, "x" * 32, "x" * 33, "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 200,
         "x" * 256, "x" * 4096, "x" * 100000, "油" * 21, "油" * 22, "油" * 64, "😀" * 50, "\u202e\u200f", "a\0b", "\n\r\t\x1b[31m",
         "%s%n%d", "'; DROP TABLE trade; --", "../../etc/passwd", "<script>", "\ufffd\ufffe\uffff", "late-1", "R1",
         "cancelled", "2024-02-30", "0000000000", "92#", "95#", "U0003", "U0004", "U9999", "S001", "S999", "T1", "T2", "K0005-1",
         "purchase", "1", "2", "99", "payer", "C0005", "\u0301" * 64)


def _texts(random, pool):
    return random.choice(TEXTS if random.random() < 0.6 or not pool.words else pool.words)


def _enum(random, descriptor):
    numbers = [value.number for value in descriptor.enum_type.values]
    return random.choice(numbers + [-1, 99, 2**31 - 1, -2**31])


def _fit(value, bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return min(max(value, low), high)


def value_for(random, pool, descriptor):
    """Of a field that is no message."""
    kind = descriptor.cpp_type
    if kind == F.CPPTYPE_STRING:
        text = _texts(random, pool)
        return text.encode() if descriptor.type == F.TYPE_BYTES else text
    if kind == F.CPPTYPE_ENUM:
        return _enum(random, descriptor)
    if kind == F.CPPTYPE_BOOL:
        return random.random() < 0.5
    integer = random.choice(INTEGERS) if random.random() < 0.8 else random.getrandbits(62)
    bits = 32 if kind in (F.CPPTYPE_INT32, F.CPPTYPE_UINT32) else 64
    return _fit(integer, bits, kind in (F.CPPTYPE_INT32, F.CPPTYPE_INT64))


def _fill_money(random, money):
    money.currency = random.choice(CURRENCIES)
    money.minor_units = random.choice(AMOUNTS)


def _times(random):
    return random.choice((1, 2, 16, 17, 33, 300, 5000))


def _change_list(random, pool, message, descriptor, depth):
    entries = getattr(message, descriptor.name)
    what = random.random()
    if what < 0.15:
        del entries[:]
    elif descriptor.message_type:
        if what < 0.3 or not entries:
            entries.add()
        elif what < 0.45:
            for _ in range(_times(random)):
                entries.add().CopyFrom(entries[0])
        else:
            change(random, pool, random.choice(entries), depth + 1)
    elif what < 0.4 and entries:
        entries.extend([random.choice(entries)] * _times(random))
    else:
        entries.extend(value_for(random, pool, descriptor) for _ in range(random.choice((1, 1, 3, 40))))


def change(random, pool, message, depth=0):
    """Changes one field of the message or of one inside it; returns its name."""
    if message.DESCRIPTOR.full_name == MONEY and random.random() < 0.7:
        _fill_money(random, message)
        return "money"
    if not message.DESCRIPTOR.fields:
        return "nothing"
    descriptor = random.choice(message.DESCRIPTOR.fields)
    if descriptor.label == F.LABEL_REPEATED:
        _change_list(random, pool, message, descriptor, depth)
    elif descriptor.message_type:
        if random.random() < 0.2 or depth == DEPTH_MAX:
            message.ClearField(descriptor.name)
        elif random.random() < 0.1:
            getattr(message, descriptor.name).SetInParent()
        else:
            getattr(message, descriptor.name).SetInParent()
            change(random, pool, getattr(message, descriptor.name), depth + 1)
    elif random.random() < 0.15:
        message.ClearField(descriptor.name)
    else:
        setattr(message, descriptor.name, value_for(random, pool, descriptor))
    return descriptor.name
