"""What can be done to the bytes of a message: one function a kind, in MUTATIONS. Each takes a random.Random and bytes."""

LARGE = 3 << 20  # more than the largest message that is received
WIRE_OF = {0: "varint", 1: "fixed64", 2: "length", 3: "group", 4: "group's end", 5: "fixed32", 6: "none", 7: "none"}


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    """A length-delimited one."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def tops(data):
    """(start, end, number, wire) of each field at the top of a sound message."""
    at, found = 0, []

    def take():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        start, tag = at, take()
        wire = tag & 7
        if wire == 0:
            take()
        elif wire == 2:
            size = take()
            at += size
        else:
            at += {1: 8, 5: 4}[wire]
        found.append((start, at, tag >> 3, wire))
    return found


def truncate(random, data):
    return data[:random.randrange(len(data) + 1)]


def flip_bits(random, data):
    out = bytearray(data or b"\0")
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def insert_noise(random, data):
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.choice((1, 2, 10, 200))) + data[at:]


def cut_out(random, data):
    a, b = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return data[:a] + data[b:]


def only_noise(random, _data):
    return random.randbytes(random.choice((1, 7, 100, 5000)))


def nothing(_random, _data):
    return b""


def repeat_field(random, data):
    """The same field again, once or very often."""
    found = tops(data)
    if not found:
        return data
    start, end, _, _ = random.choice(found)
    times = random.choice((1, 2, 33, 1000, 20000))
    return data + data[start:end] * min(times, LARGE // (end - start))


def repeat_all(random, data):
    return data * random.choice((2, 3, 100))


def wrong_wire(random, data):
    """The tag of one field says another type, or none that there is."""
    found = tops(data)
    if not found:
        return data
    start, end, number, wire = random.choice(found)
    other = random.choice([w for w in WIRE_OF if w != wire])
    content = {0: varint(random.getrandbits(63)), 1: random.randbytes(8), 2: b"\3abc", 5: random.randbytes(4)}
    return data[:start] + varint(number << 3 | other) + content.get(other, b"") + data[end:]


def huge_length(random, data):
    length = random.choice((1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1))
    return data + varint(random.randrange(1, 20) << 3 | 2) + varint(length) + b"x" * random.choice((0, 1, 100))


def long_varint(random, data):
    return data + varint(random.randrange(1, 20) << 3) + b"\xff" * random.choice((9, 10, 11, 5000)) + b"\x01"


def odd_tag(random, data):
    """Field 0, the highest there is and beyond, groups that never end or never began."""
    number = random.choice((0, (1 << 29) - 1, 1 << 29, (1 << 32) - 1, 19000))
    return data + varint(number << 3 | random.randrange(8)) + b"\0"


def groups(random, data):
    depth = random.choice((1, 32, 33, 5000))
    return data + varint(9 << 3 | 3) * depth + (varint(9 << 3 | 4) * depth if random.random() < 0.5 else b"")


def nest(random, data):
    """Messages in messages, to the limit and far beyond; in fields that there are and those that there aren't."""
    number, inner = random.randrange(1, 12), data if len(data) < 1000 else b""
    for _ in range(random.choice((1, 31, 32, 33, 100, 3000))):
        inner = field(number, inner)
    return random.choice((inner, data + inner))


def spoil_text(random, data):
    """Bytes in the middle of texts that are no UTF-8, or a NUL."""
    spots = [i for i, byte in enumerate(data) if 0x20 < byte < 0x7F]
    if not spots:
        return data
    bad = random.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\0", b"\xf4\x90\x80\x80"))
    at = random.choice(spots)
    return data[:at] + bad + data[at + len(bad):]


def oversize(random, data):
    """Beyond the largest message that is received, or just below it."""
    if random.random() < 0.9:  # these cost the most
        return data + field(1000, b"x" * random.choice((1000, 100000)))
    return data + field(random.choice((1, 1000)), b"x" * random.choice((1000000, 1 << 20, LARGE)))


MUTATIONS = (truncate, flip_bits, flip_bits, insert_noise, cut_out, only_noise, nothing, repeat_field, repeat_all, wrong_wire,
             huge_length, long_varint, odd_tag, groups, nest, spoil_text, oversize)


def spoil(random, data):
    """(what was done, the bytes)."""
    mutation = random.choice(MUTATIONS)
    return mutation.__name__, mutation(random, data)
