"""Lists, describes and calls what a server serves, from nothing but its reflection.

reflection.py HOST:PORT PACKAGE, where PACKAGE is grpc.reflection.v1 or v1alpha.
"""
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

address, package = sys.argv[1:3]

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        ["protoc", "-Iproto", f"--python_out={folder}", "grpc/reflection/v1/reflection.proto"], check=True)
    # Not imported by name: that would be looked for in the grpc package of Python.
    sys.path.insert(0, f"{folder}/grpc/reflection/v1")
    import reflection_pb2

channel = grpc.insecure_channel(address)
info = channel.stream_stream(
    f"/{package}.ServerReflection/ServerReflectionInfo",
    request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
    response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)


def ask(*requests):
    """All on one stream; one answer for each."""
    answers = list(info((reflection_pb2.ServerReflectionRequest(host="h", **r) for r in requests), timeout=60))
    assert len(answers) == len(requests), answers
    for answer, request in zip(answers, requests):
        assert answer.valid_host == "h"
        assert answer.original_request == reflection_pb2.ServerReflectionRequest(host="h", **request)
    return answers


# List: what is registered, and nothing else of the descriptor set.
(answer,) = ask({"list_services": ""})
services = {service.name for service in answer.list_services_response.service}
assert services == {"txcenter.test.v1.EchoService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                    "grpc.reflection.v1alpha.ServerReflection"}, services

# Describe: every kind of symbol leads to its file, with the files that it imports.
symbols = ["txcenter.test.v1.EchoService", "txcenter.test.v1.EchoService.Echo", "txcenter.test.v1.EchoRequest",
           "txcenter.test.v1.What", "grpc.health.v1.HealthCheckResponse.ServingStatus",
           "google.rpc.BadRequest.FieldViolation"]
files = {}
for symbol, answer in zip(symbols, ask(*({"file_containing_symbol": symbol} for symbol in symbols))):
    found = [descriptor_pb2.FileDescriptorProto.FromString(raw)
             for raw in answer.file_descriptor_response.file_descriptor_proto]
    assert found, (symbol, answer)
    assert symbol.startswith(found[0].package), (symbol, found[0].name)
    names = {file.name for file in found}
    for file in found:
        assert names.issuperset(file.dependency), (symbol, names)
        files[file.name] = file
assert "google/protobuf/duration.proto" in files  # imported by error_details.proto
(answer,) = ask({"file_by_filename": "echo.proto"})
assert answer.file_descriptor_response.file_descriptor_proto[0] == files["echo.proto"].SerializeToString()

# What there is not: an error for each, and the stream goes on.
for answer in ask({"file_containing_symbol": "txcenter.test.v1.Nothing"}, {"file_containing_symbol": ""},
                  {"file_by_filename": "nothing.proto"}, {"all_extension_numbers_of_type": symbols[2]},
                  {"file_containing_extension": {"containing_type": symbols[2], "extension_number": 1}}):
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], answer

# Call: with messages made from what was described.
pool = descriptor_pool.DescriptorPool()


def add(name):
    for dependency in files[name].dependency:
        add(dependency)
    pool.Add(files[name])


add("echo.proto")
factory = message_factory.MessageFactory(pool)
method = pool.FindServiceByName("txcenter.test.v1.EchoService").FindMethodByName("Echo")
request_type, response_type = factory.GetPrototype(method.input_type), factory.GetPrototype(method.output_type)
echo = channel.unary_unary("/txcenter.test.v1.EchoService/Echo", request_serializer=request_type.SerializeToString,
                           response_deserializer=response_type.FromString)
assert echo(request_type(text="described"), timeout=60).text == "described"

# A stream may be left open without harm, and be left.
responses = info(iter([]), timeout=60)
assert list(responses) == []
responses = info((r for r in iter(lambda: reflection_pb2.ServerReflectionRequest(list_services=""), None)), timeout=60)
next(responses)
responses.cancel()
