#!/usr/bin/python3
"""A participant to try with: every method of every service is there, and answers once for each key.

usage: participant.py [PORT]

What it owes to a caller: the same answer to a repeat of the same key, and an action that comes after its compensation is
refused. One that keeps real effects keeps its keys beside them, in the same transaction.
"""

import sys
import threading
from concurrent import futures

import grpc


class Participant(grpc.GenericRpcHandler):
    def __init__(self):
        self.lock = threading.Lock()
        self.answers = {}  # by key; None: compensated

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self.serve(details.method, body, context))

    def serve(self, method, body, context):
        metadata = dict(context.invocation_metadata())
        key, op = metadata.get("tx-key", ""), metadata.get("tx-op", "")
        with self.lock:
            if op == "compensate":
                self.answers[key] = None
            elif op == "action":
                self.answers.setdefault(key, b"done " + metadata["tx-step"].encode())
            answer = self.answers.get(key, b"")
        print(op, metadata.get("tx-step"), method, body, flush=True)
        if op == "inquire" and key not in self.answers:
            context.abort(grpc.StatusCode.NOT_FOUND, "this key was never seen")
        if op != "compensate" and answer is None:
            context.abort(grpc.StatusCode.ABORTED, "it was compensated")
        return answer or b""


def main(port="7800"):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((Participant(),))
    bound = server.add_insecure_port("127.0.0.1:" + port)
    server.start()
    print("ready", bound, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
