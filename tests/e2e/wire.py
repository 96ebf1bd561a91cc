"""Calls over gRPC without generated code: messages come from the descriptor set that the build makes of proto/."""

import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message, message_factory

STATUS_HEADER = "grpc-status-details-bin"
AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED")
BROKEN = ("UNKNOWN", "INTERNAL")  # of a connection, where no reason is given


class Protos:
    """Every message and method of proto/."""

    def __init__(self, path):
        self.pool = descriptor_pool.DescriptorPool()
        self.factory = message_factory.MessageFactory(self.pool)
        files = descriptor_pb2.FileDescriptorSet()
        with open(path, "rb") as file:
            files.ParseFromString(file.read())
        for file in files.file:
            self.pool.Add(file)

    def message(self, name, fields=None):
        """A message by its full name, filled from a dict in the JSON form of protobuf."""
        made = self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))()
        return json_format.ParseDict(fields or {}, made, descriptor_pool=self.pool)

    def method(self, path):
        """The descriptor of "txcenter.trade.v1.TradeService/Quote"."""
        service, _, name = path.partition("/")
        return self.pool.FindServiceByName(service).methods_by_name[name]

    def service_proto(self, path):
        """The same as it was declared: with the kinds of streams."""
        proto = descriptor_pb2.MethodDescriptorProto()
        self.method(path).CopyToProto(proto)
        return proto

    def prototype(self, descriptor):
        return self.factory.GetPrototype(descriptor)


class Refused(Exception):
    """A call that did not end well, with what the status says in detail."""

    def __init__(self, protos, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code().name
        self.text = error.details()
        self.reason, self.domain, self.metadata, self.fields, self.retry_after_s = "", "", {}, {}, None
        for header in error.trailing_metadata() or ():
            if header.key == STATUS_HEADER:
                self._read(protos, header.value)

    @property
    def is_passing(self):
        """The same request may be answered another time."""
        return self.code in AGAIN or (self.code in BROKEN and not self.reason)

    def _read(self, protos, value):
        status = protos.message("google.rpc.Status")
        status.ParseFromString(value)
        for detail in status.details:
            message = protos.message(detail.type_url.rpartition("/")[2])
            message.ParseFromString(detail.value)
            kind = message.DESCRIPTOR.name
            if kind == "ErrorInfo":
                self.reason, self.domain, self.metadata = message.reason, message.domain, dict(message.metadata)
            elif kind == "BadRequest":
                self.fields = {field.field: field.description for field in message.field_violations}
            elif kind == "RetryInfo":
                self.retry_after_s = message.retry_delay.seconds + message.retry_delay.nanos / 1e9


class Client:
    """A connection. Calls are named "package.Service/Method"; requests are messages, or dicts in the JSON form of protobuf."""

    def __init__(self, protos, target, caller=None, credentials=None):
        self.protos = protos
        self.caller = caller
        # Restarts in tests are quick: so is coming back.
        options = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 100)]
        if credentials:
            self.channel = grpc.secure_channel(target, credentials, options)
        else:
            self.channel = grpc.insecure_channel(target, options)

    def close(self):
        self.channel.close()

    def until_lost(self, timeout=10):
        """Until the connection to a server that has died is known to be gone: a call on it would fail, not wait."""
        lost = threading.Event()

        def changed(state):
            if state is not grpc.ChannelConnectivity.READY:
                lost.set()

        self.channel.subscribe(changed)
        try:
            if not lost.wait(timeout):
                raise AssertionError("the connection outlives its server")
        finally:
            self.channel.unsubscribe(changed)

    def _prepare(self, path, fields, caller, metadata):
        method = self.protos.method(path)
        response = self.protos.prototype(method.output_type)
        made = isinstance(fields, message.Message)
        request = fields if made else self.protos.message(method.input_type.full_name, fields)
        headers = list(metadata)
        if caller or self.caller:
            headers.append(("x-caller", caller or self.caller))
        return request, response, headers

    def start(self, path, fields=None, caller=None, timeout=30, metadata=(), wait_for_ready=True):
        """Begins a call; finish() waits for it. A server that is not there (yet) is waited for, up to the timeout."""
        request, response, headers = self._prepare(path, fields, caller, metadata)
        call = self.channel.unary_unary("/" + path, type(request).SerializeToString, response.FromString)
        return call.future(request, timeout=timeout, metadata=headers, wait_for_ready=wait_for_ready)

    def finish(self, future):
        try:
            return future.result()
        except grpc.RpcError as error:
            raise Refused(self.protos, error) from None

    def call(self, path, fields=None, **options):
        return self.finish(self.start(path, fields, **options))

    def stream(self, path, fields=None, caller=None, timeout=30, metadata=()):
        """The messages of a server stream, as they come; raises Refused at an end that is not OK."""
        request, response, headers = self._prepare(path, fields, caller, metadata)
        call = self.channel.unary_stream("/" + path, type(request).SerializeToString, response.FromString)
        try:
            yield from call(request, timeout=timeout, metadata=headers, wait_for_ready=True)
        except grpc.RpcError as error:
            raise Refused(self.protos, error) from None

    def converse(self, path, requests, timeout=30):
        """The answers of a bidirectional stream to a fixed list of requests."""
        method = self.protos.method(path)
        made = [self.protos.message(method.input_type.full_name, fields) for fields in requests]
        response = self.protos.prototype(method.output_type)
        call = self.channel.stream_stream("/" + path, type(made[0]).SerializeToString, response.FromString)
        return list(call(iter(made), timeout=timeout, wait_for_ready=True))
