"""A remote system of the test's own, written without any knowledge of the center: a gRPC server that takes bytes, answers
as it is told, and remembers what it was asked."""

import threading
from concurrent import futures

import grpc
import harness
from wire import STATUS_HEADER

TIMEOUT_S = 60


def no(code, reason=""):
    """An answer that is not OK; `reason` goes into its ErrorInfo."""
    return (code, reason)


ABORTED = no(grpc.StatusCode.ABORTED)
NOT_FOUND = no(grpc.StatusCode.NOT_FOUND)
UNAVAILABLE = no(grpc.StatusCode.UNAVAILABLE)


class Asked:
    """One call that came."""

    def __init__(self, method, body, metadata):
        self.method, self.body, self.metadata = method, body, metadata
        self.op, self.key, self.gid, self.step = (metadata.get("tx-" + name) for name in ("op", "key", "gid", "step"))

    def __repr__(self):
        return f"{self.op} {self.step} {self.method}"


class Participant(grpc.GenericRpcHandler):
    """Every method of "/test.v1.Ledger/…" is there. What one answers is set in `answers`: bytes, or no(…), or a list of
    them to be given one after the other (the last again and again), or a function of what was asked. Unset: its name."""

    def __init__(self, target):
        self.target = target
        self.answers = {}
        self.asked = []
        self.changed = threading.Condition()
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
        self.server.add_generic_rpc_handlers((self,))
        self.server.add_insecure_port(target)
        self.server.start()

    def close(self):
        self.server.stop(None).wait(TIMEOUT_S)

    def service(self, details):
        method = details.method.rpartition("/")[2]

        def serve(body, context):
            return self.serve(Asked(method, body, dict(context.invocation_metadata())), context)

        return grpc.unary_unary_rpc_method_handler(serve)

    def answer_to(self, asked):
        answer = self.answers.get(asked.method, asked.method.encode())
        if callable(answer):
            return answer(asked)
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer

    def serve(self, asked, context):
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
        answer = self.answer_to(asked)
        if isinstance(answer, bytes):
            return answer
        code, reason = answer
        if reason:
            context.set_trailing_metadata(((STATUS_HEADER, details_of(code, reason)),))
        context.abort(code, reason or "as it was told")

    def until(self, holds, what):
        """Waits until it holds of what was asked so far; returns that."""
        with self.changed:
            if not self.changed.wait_for(lambda: holds(self.asked), TIMEOUT_S):
                raise AssertionError(f"{what}: {self.asked}")
            return list(self.asked)

    def until_asked(self, method, times=1):
        return [a for a in self.until(lambda asked: sum(a.method == method for a in asked) >= times, method)
                if a.method == method]

    def did(self):
        """The operations in the order of their coming, repeats left out."""
        with self.changed:
            return list(dict.fromkeys((a.op, a.step) for a in self.asked))


def details_of(code, reason):
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "ledger.test"}
    return harness.PROTOS.message("google.rpc.Status", {"code": code.value[0], "details": [info]}).SerializeToString()
