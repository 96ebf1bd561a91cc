#!/usr/bin/python3
"""Submits the saga that a JSON file defines, waits for it, and says how it ended.

usage: submit.py FILE [SERVER [REQUEST_ID]]

Its messages are made by: protoc -I proto --python_out=DIR proto/txcenter/saga/v1/saga.proto; DIR must be in PYTHONPATH.
"""

import sys
import uuid

import grpc
from google.protobuf import json_format
from txcenter.saga.v1 import saga_pb2 as saga


def main(path, server="127.0.0.1:7600", request_id=None):
    with open(path, encoding="utf-8") as file:
        definition = json_format.Parse(file.read(), saga.SagaDefinition())
    # The same request_id again is the same saga: keep it, and ask again when no answer comes.
    request = saga.SubmitSagaRequest(request_id=request_id or str(uuid.uuid4()), saga=definition, wait_ms=10000)
    with grpc.insecure_channel(server) as channel:
        submit = channel.unary_unary("/txcenter.saga.v1.SagaService/SubmitSaga", saga.SubmitSagaRequest.SerializeToString,
                                     saga.SubmitSagaResponse.FromString)
        answer = submit(request, timeout=15, metadata=[("x-caller", "example")], wait_for_ready=True)
    status = saga.SagaStatus.Name(answer.saga.status).removeprefix("SAGA_STATUS_")
    print(answer.saga.gid, "PROCESSING" if answer.processing else status, answer.saga.reason)
    for step in answer.saga.steps:
        print(" ", step.name, saga.StepState.Name(step.state).removeprefix("STEP_STATE_"), step.answer.decode())
    return 0 if answer.saga.status == saga.SAGA_STATUS_SUCCEEDED else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
