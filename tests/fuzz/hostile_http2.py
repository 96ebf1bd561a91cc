"""What is no gRPC at all, or not quite: frames of HTTP/2 written by hand. One function a kind, in ATTACKS; each returns what
is sent to the port."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
PATH = "/txcenter.trade.v1.TradeService/GetTrade"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _length(value, bits, first):
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, value = bytearray((first | most,)), value - most
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes((value,)))


def header(name, value):
    """A literal without indexing, without Huffman."""
    return b"\0" + _length(len(name), 7, 0) + name + _length(len(value), 7, 0) + value


def call(random, stream=1, body=b"", flags=END_STREAM, **changes):
    """A call as it should be but for the changes: {"content_type": …}; None leaves a header out."""
    fields = {":method": "POST", ":scheme": "http", ":path": PATH, ":authority": "x", "content-type": "application/grpc",
              "te": "trailers", "grpc-timeout": "5S", "x-caller": "buyer"}
    fields.update({":" + key[1:] if key.startswith("_") else key.replace("_", "-"): value for key, value in changes.items()})
    block = b"".join(header(key.encode(), value if isinstance(value, bytes) else value.encode())
                     for key, value in fields.items() if value is not None)
    _ = random
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, flags, stream, body)


def message(data, compressed=0, length=None):
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def begin():
    return PREFACE + frame(SETTINGS)


def noise(random):
    return random.randbytes(random.choice((1, 24, 1000, 100000)))


def http1(random):
    return random.choice((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                          b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(500)))


def noise_after_preface(random):
    return PREFACE + random.randbytes(random.choice((1, 9, 1000, 50000)))


def half_preface(random):
    return PREFACE[:random.randrange(len(PREFACE))]


def random_frames(random):
    return begin() + b"".join(
        frame(random.randrange(12), random.randrange(256), random.choice((0, 1, 2, 3, 2**31 - 1, 2**32 - 1)),
              random.randbytes(random.choice((0, 4, 8, 9, 100)))) for _ in range(random.randrange(1, 50)))


def odd_headers(random):
    changes = random.choice((
        {"content_type": "text/html"}, {"content_type": None}, {"content_type": "application/grpc+json"},
        {"content_type": "application/grpcx"}, {"te": None}, {"_path": None}, {"_path": ""}, {"_path": "/"},
        {"_path": "/" + "x" * 60000}, {"_path": "*"}, {"_path": PATH + "/more"}, {"_path": b"/\xff\xfe"}, {"_method": "GET"},
        {"_method": "PUT"}, {"_method": None}, {"_authority": None}, {"_scheme": None}, {"_scheme": "gopher"},
        {"grpc_timeout": "0n"}, {"grpc_timeout": "-1S"}, {"grpc_timeout": "99999999H"}, {"grpc_timeout": "1X"},
        {"grpc_timeout": "9" * 100 + "S"}, {"grpc_timeout": ""}, {"grpc_encoding": "gzip"}, {"grpc_encoding": "nonsense"},
        {"grpc_accept_encoding": "x" * 5000}, {"grpc_status": "0"}, {"x_caller": b"\xff\x00\x01"}, {"x_caller": "x" * 20000},
        {"x_bin-bin": b"!!!not base64!!!"}, {"X_Upper": "x"}, {"connection": "close"}, {"_status": "200"},
        {"content_length": "5"}, {"traceparent": "x" * 9000}, {"x_request_id": b"\x80\x81"}, {"user_agent": "x" * 9000}))
    return begin() + call(random, body=message(b""), **changes)


def odd_bodies(random):
    body = random.choice((b"", b"\0", b"\0\0\0\0", message(b"", 1), message(b"", 2), message(b"", 255), message(b"x", 1),
                          message(b"", 0, 5), message(b"", 0, 2**32 - 1), message(b"", 0, 2**31), message(b"", 0, 1 << 21),
                          message(b"") * 2, message(b"") * 1000, message(random.randbytes(100)) + b"\0\0"))
    encoding = random.choice((None, "gzip", "deflate", "identity", "nonsense"))
    return begin() + call(random, body=body, grpc_encoding=encoding)


def rapid_resets(random):
    """Many calls, each taken back at once."""
    return begin() + b"".join(
        call(random, stream, message(b""), flags=0) + frame(RST, 0, stream, struct.pack(">I", 8))
        for stream in range(1, 2 * random.choice((10, 200)), 2))


def many_calls(random):
    return begin() + b"".join(call(random, stream, message(b"\x0a\x01x")) for stream in range(1, 2 * random.choice((10, 300)), 2))


def never_ending(random):
    """Calls that begin and get no message."""
    return begin() + b"".join(call(random, stream, b"\0", flags=0) for stream in range(1, 2 * random.choice((1, 100)), 2))


def floods(random):
    one = random.choice((frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1)), frame(SETTINGS),
                         frame(WINDOW, 0, 0, struct.pack(">I", 1)), frame(WINDOW, 0, 0, struct.pack(">I", 2**31 - 1)),
                         frame(PRIORITY, 0, 3, b"\0\0\0\1\x10"), frame(DATA, 0, 1, b""), frame(RST, 0, 1, b"\0\0\0\1"),
                         frame(GOAWAY, 0, 0, bytes(8)), frame(WINDOW, 0, 0, bytes(4))))
    return begin() + one * random.choice((1, 100, 3000))


def endless_headers(random):
    """A header that goes on and on, and one that unpacks to more than it is."""
    times = random.choice((1, 100, 1000))
    return begin() + frame(HEADERS, 0, 1, header(b"a", b"b" * 100)) + frame(CONTINUATION, 0, 1, header(b"c", b"d" * 1000)) * times


def bad_hpack(random):
    block = random.choice((b"\xff\xff\xff\xff\xff\xff\xff", b"\x80", b"\xbe", b"\x00\x7f\xff\xff\xff\xff\xff\x7f", b"\x3f\xff\xff\xff\x7f",
                           random.randbytes(50), b"\x40\x01a\x8a" + b"\xff" * 10))
    return begin() + frame(HEADERS, END_HEADERS | END_STREAM, 1, block)


def bad_settings(random):
    pairs = b"".join(struct.pack(">HI", random.randrange(8), random.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1))) for _ in range(6))
    return PREFACE + random.choice((frame(SETTINGS, 0, 0, pairs), frame(SETTINGS, 0, 1, pairs), frame(SETTINGS, ACK, 0, pairs),
                                    frame(SETTINGS, 0, 0, pairs[:5]))) + call(random, body=message(b""))


ATTACKS = (noise, http1, noise_after_preface, half_preface, random_frames, odd_headers, odd_headers, odd_headers, odd_bodies,
           odd_bodies, rapid_resets, many_calls, never_ending, floods, endless_headers, bad_hpack, bad_settings)
