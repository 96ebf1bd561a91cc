"""Calls EchoService as our own client never does. odd_calls.py HOST:PORT"""
import subprocess
import sys
import tempfile

import grpc

address = sys.argv[1]

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["protoc", "-Itests/rpc", "-Iproto", f"--python_out={folder}", "echo.proto",
                    "google/rpc/status.proto", "google/rpc/error_details.proto"], check=True)
    sys.path.insert(0, folder)
    sys.path.insert(0, f"{folder}/google/rpc")
    import echo_pb2
    import error_details_pb2
    import status_pb2


def status_of(call):
    """The code and the google.rpc.Status of a failed call."""
    try:
        call()
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin")
        return error.code(), status_pb2.Status.FromString(details) if details else None
    raise AssertionError("the call was answered")


SERVICE = "/txcenter.test.v1.EchoService/"
encode, decode = echo_pb2.EchoRequest.SerializeToString, echo_pb2.EchoResponse.FromString
channel = grpc.insecure_channel(address)
echo = channel.unary_unary(SERVICE + "Echo", encode, decode)

# An ordinary call.
assert echo(echo_pb2.EchoRequest(text="odd"), timeout=60).text == "odd"

# Details as another implementation reads them.
code, status = status_of(lambda: channel.unary_unary(SERVICE + "Echo", lambda raw: raw, decode)(b"\x0a\x01\xff", timeout=60))
assert code == grpc.StatusCode.INVALID_ARGUMENT
assert status.code == code.value[0]
info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
assert status.details[0].Unpack(info) and status.details[1].Unpack(bad)
assert (info.reason, info.domain) == ("INVALID_REQUEST", "txcenter")
assert [(v.field, v.description) for v in bad.field_violations] == [("text", "is not UTF-8")]

# Compressed: refused, so that a small message can't become a huge one.
code, status = status_of(lambda: echo(echo_pb2.EchoRequest(text="x" * 10000), timeout=60, compression=grpc.Compression.Gzip))
assert code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT), code

# No message at all, and several of them.
many = channel.stream_unary(SERVICE + "Echo", encode, decode)
code, status = status_of(lambda: many(iter([]), timeout=60))
assert code == grpc.StatusCode.INVALID_ARGUMENT
assert status.message == "the call carries no message"
assert many(iter([echo_pb2.EchoRequest(text="first"), echo_pb2.EchoRequest(text="second")]), timeout=60).text == "first"

# A stream that is asked for as if it were unary, and a path that is none.
code, status = status_of(lambda: channel.unary_unary("/", encode, decode)(echo_pb2.EchoRequest(), timeout=60))
assert code == grpc.StatusCode.UNIMPLEMENTED

# The server is well.
assert echo(echo_pb2.EchoRequest(text="after"), timeout=60).text == "after"
