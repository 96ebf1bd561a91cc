#!/usr/bin/python3
"""Hostile requests against every method of a real center: each gets a precise answer in time, and nothing breaks.

Requests are made from valid ones (hostile_seeds.py) by changing fields (hostile_fields.py), bytes (hostile_bytes.py) and
what goes with them; frames of HTTP/2 are sent by hand too (hostile_http2.py). Afterwards the center must still serve,
have leaked nothing, have no orphans, and agree with every participant.

Environment (set by CTest and ./dev fuzz): TXC_BIN, the folder of the programs; TXC_DESCRIPTORS, the descriptor set.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

import grpc  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402
from harness import BIN, PROTOS, World, resident_kb  # noqa: E402
from hostile_bytes import spoil  # noqa: E402
from hostile_fields import change  # noqa: E402
from hostile_http2 import ATTACKS  # noqa: E402
from hostile_judge import judge_ok, judge_refusal  # noqa: E402
from hostile_seeds import CALLERS, METHODS, STATS, USERS, WAIT_MAX_MS, Pool  # noqa: E402
from participant import Participant  # noqa: E402
from shop import SAGA, SIM, TRADE  # noqa: E402
from wire import Refused  # noqa: E402

DEADLINE_S = 15  # of a call
QUIET_S = 1  # after so long without a message a stream has nothing to tell
SETTLE_S = 120
WORKERS = 16
CHUNK, LATE_CHUNK, LATE_WAITING = 250, 50, 16  # so many requests, then new trades; for callbacks many that are not paid
# What the resident memory may grow by in one row of the table: so much, and for each request what a trade kept in memory
# takes with its sagas (sanitizers make it several times as much).
GROWTH_MAX_KB, GROWTH_EACH_KB = 48 * 1024, 24
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion `", "ThreadSanitizer")
FAULTS_SHOWN = 40


class Case:
    """One request: everything about it follows from the seed, the method and its number, but for the numbers of trades."""

    def __init__(self, method, number, seed, pool):
        chance = random.Random(f"{seed}/{method.name}/{number}")
        message = method.seed(pool, chance)
        self.caller, self.what, self.compressed, self.by_core, self.metadata = method.caller, [], False, False, []
        kind = 0 if method.late and chance.random() < 0.7 else chance.random()  # what is signed well is hostile inside
        if 0.05 < kind < 0.6:
            for _ in range(chance.choice((1, 1, 2, 3, 6))):
                self.what.append(change(chance, pool, message))
        self.data = message.SerializeToString()
        if kind > 0.55:
            what, self.data = spoil(chance, self.data)
            self.what.append(what)
        if chance.random() < 0.05:
            self._spoil_call(chance)

    def _spoil_call(self, chance):
        what = chance.choice(("caller", "nobody", "compressed", "metadata", "large metadata"))
        self.what.append(what)
        self.by_core = what in ("compressed", "large metadata")
        if what == "caller":
            self.caller = chance.choice([caller["name"] for caller in CALLERS] + ["stranger", "x" * 300, "%s", "*"])
        elif what == "nobody":
            self.caller = ""
        elif what == "compressed":
            self.compressed = True
        elif what == "metadata":
            self.metadata = [(name, chance.choice(("", "x", "x" * 500, "0" * 55, "%s %n")))
                             for name in ("x-request-id", "traceparent", "x-nonsense")]
        else:
            self.metadata = [("x-large", "x" * chance.choice((7000, 9000, 100000)))]

    @property
    def alone(self):
        """More metadata than gRPC takes ends the connection, with all that is on it."""
        return bool(self.metadata) and self.by_core

    def headers(self):
        return self.metadata + ([("x-caller", self.caller)] if self.caller else [])


class Result:
    def __init__(self, status, seconds, fault=None, case=None):
        self.status, self.seconds, self.fault, self.case = status, seconds, fault, case


class Wire:
    """Calls with bytes as they are."""

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1),
                                                      ("grpc.max_metadata_size", 1 << 20),
                                                      ("grpc.use_local_subchannel_pool", 1)])  # connections of its own

    def close(self):
        self.channel.close()

    def answers(self, method, case):
        """The answers as bytes; none when a stream was quiet."""
        options = {"metadata": case.headers(), "compression": grpc.Compression.Gzip if case.compressed else None}
        path = "/" + method.path
        if method.streams_in:
            return list(self.channel.stream_stream(path)(iter((case.data,)), timeout=DEADLINE_S, **options))
        if not method.streams_out:
            return [self.channel.unary_unary(path)(case.data, timeout=DEADLINE_S, **options)]
        stream = self.channel.unary_stream(path)(case.data, timeout=QUIET_S, **options)
        try:
            return [next(stream)]
        except StopIteration:
            return []
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and not error.trailing_metadata():
                return []
            raise
        finally:
            stream.cancel()

    def run(self, method, case):
        begun = time.monotonic()
        try:
            answers = self.answers(method, case)
            return Result("OK", time.monotonic() - begun, judge_ok(method, case, answers), case)
        except grpc.RpcError as error:
            refused = Refused(PROTOS, error)
            status = f"{refused.code}/{refused.reason}" if refused.reason else refused.code
            return Result(status, time.monotonic() - begun, judge_refusal(method, case, refused), case)


def attack(port, number, seed):
    """Bytes that are no call; the center must have hung up soon after we stopped talking."""
    chance = random.Random(f"{seed}/http2/{number}")
    kind = chance.choice(ATTACKS)
    data, begun, got = kind(chance), time.monotonic(), 0
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while time.monotonic() < begun + DEADLINE_S:
                some = connection.recv(65536)
                if not some:
                    break
                got += len(some)
        except TimeoutError:
            return Result(kind.__name__, time.monotonic() - begun, f"{kind.__name__}: still open after {DEADLINE_S} s")
        except OSError:
            pass  # hung up on us while we were talking
    return Result(kind.__name__, time.monotonic() - begun)


class Fuzz:
    def __init__(self, options):
        self.options, self.faults = options, []
        self.folder = tempfile.mkdtemp()
        self.ledger = Participant(f"unix:{self.folder}/ledger.sock")
        self.world = World(sim=["--users", str(USERS)], config={
            "submit": {"targets": [self.ledger.target]},
            "callers": CALLERS,
            "log": {"level": "error", "format": "json"},
            "limits": {"wait_max_ms": WAIT_MAX_MS},
            "trade": {"quote_budget_ms": 10000},
            "payment": {"query_first_ms": 50, "query_max_ms": 20000},
        })
        self.pool = None

    def start(self):
        self.world.start()
        rules = [{"payer": "payer", "result": "PAY_RESULT_PAID", "afterMs": "1"}]
        self.world.sim_client().call(SIM + "SetAutoPay", {"rules": rules})
        self.pool = Pool(self.world, self.ledger.target)

    def fault(self, name, number, text, case=None):
        self.faults.append((name, number, text))
        if len(self.faults) <= FAULTS_SHOWN or number is None:
            what = f" [{' + '.join(case.what)}] as {case.caller} {case.data[:120].hex()}" if case else ""
            print(f"FAULT {name} {'' if number is None else number}: {text}{what}", flush=True)

    # ---- Requests -------------------------------------------------------------------------------------------------------

    def numbers(self):
        return [self.options.only] if self.options.only is not None else range(self.options.requests)

    def run(self, name, one, chunk=CHUNK, waiting=2):
        """Every request of one row of the table; `one` runs the request of a number."""
        counts, slowest, before = collections.Counter(), (0, 0), resident_kb(self.world.center.pid)
        numbers = list(self.numbers())
        for at in range(0, len(numbers), chunk):
            self.pool.renew(waiting)
            with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
                for number, result in zip(numbers[at:at + chunk], workers.map(one, numbers[at:at + chunk])):
                    counts[result.status] += 1
                    slowest = max(slowest, (result.seconds, number))
                    if result.fault:
                        self.fault(name, number, result.fault, result.case)
            if not self.world.center.running:
                raise AssertionError(f"the center died during {name}:\n{self.world.center.log()[-6000:]}")
        now = resident_kb(self.world.center.pid)
        print(f"{name}: {sum(counts.values())} requests, slowest {slowest[0] * 1000:.0f} ms (number {slowest[1]}), "
              f"resident {now / 1024:.0f} MB ({(now - before) / 1024:+.0f})")
        if now - before > GROWTH_MAX_KB + len(numbers) * GROWTH_EACH_KB:
            self.fault(name, None, f"the resident memory grew from {before} to {now} kB")
        for status, n in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"  {n:7} {status}")
        sys.stdout.flush()

    def run_method(self, method):
        wires = [Wire(self.world.center_target) for _ in range(2)]

        def one(number):
            case = Case(method, number, self.options.seed, self.pool)
            if not case.alone:
                return wires[number % 2].run(method, case)
            with contextlib.closing(Wire(self.world.center_target)) as wire:
                return wire.run(method, case)

        self.run(method.name, one, *((LATE_CHUNK, LATE_WAITING) if method.late else ()))
        for wire in wires:
            wire.close()

    # ---- Afterwards -----------------------------------------------------------------------------------------------------

    def check_health(self):
        client = self.world.client("operator")
        answer = client.call("grpc.health.v1.Health/Check", {}, wait_for_ready=True)
        if answer.status != 1:
            self.fault("health", None, f"is {answer.status}, not SERVING")
        stats = {stat.name: stat.value for stat in client.call(STATS + "GetStats").stats}
        for name in ("sagas.orphans", "sagas.corrupt", "sagas.unknown_flows", "trades.waiting"):
            if stats[name] != 0:
                self.fault("stats", None, f"{name} is {stats[name]}")
        return stats

    def settle(self):
        """Until what is under way only waits for payers and orders."""
        client, end = self.world.client("operator"), time.monotonic() + SETTLE_S
        states = {value.number for name, value in PROTOS.pool.FindEnumTypeByName("txcenter.saga.v1.StepState").values_by_name.items()
                  if name.rpartition("_")[2] in ("RUNNING", "INQUIRING", "RETRYING", "UNDOING")}
        busy = {}
        while time.monotonic() < end:
            sagas = self.listed(client, SAGA + "ListSagas", "sagas", {"filter": {"unfinished": True}})
            full = [client.call(SAGA + "GetSaga", {"gid": saga.gid}).saga for saga in sagas
                    if not busy or saga.gid in busy]
            busy = {saga.gid: saga for saga in full if any(step.state in states and not step.name.startswith("await")
                                                          for step in saga.steps)}
            if not busy:
                return
            time.sleep(0.5)
        for saga in list(busy.values())[:5]:
            print("  still under way:", saga.gid, [(step.name, step.state, step.reason, step.text) for step in saga.steps
                                                   if step.state in states])

    @staticmethod
    def listed(client, method, field, request):
        token = ""
        found = []
        while True:
            page = client.call(method, {**request, "pageSize": 200, "pageToken": token})
            found += getattr(page, field)
            token = page.next_page_token
            if not token:
                return found

    def check_agreement(self):
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", self.world.center_target, "--sim",
                               self.world.sim_target, "--open-is-fine", "-o", "json"], capture_output=True, text=True, check=False)
        *lines, last = done.stdout.strip().splitlines() or ["{}"]
        counts = json.loads(last) if last.startswith("{") else {}
        print("txcheck:", last)
        for line in lines + ([done.stderr] if done.stderr else []):
            self.fault("txcheck", None, line)
        if not counts or done.returncode != 0:
            self.fault("txcheck", None, f"ends with {done.returncode}")

    def check_trades(self):
        """Every trade can still be shown, and its books add up."""
        client = self.world.client("check")
        for row in self.listed(client, TRADE + "ListTrades", "trades", {}):
            try:
                trade = client.call(TRADE + "GetTrade", {"tradeNo": row.trade_no}).trade
            except Refused as refused:
                self.fault("GetTrade", None, f"{row.trade_no} can't be shown: {refused}")
                continue
            sums = collections.Counter()
            for posting in trade.ledger:
                sums[posting.entry] += posting.amount.minor_units
            if any(sums.values()):
                self.fault("ledger", None, f"{row.trade_no}: entries do not add up to zero: {dict(sums)}")

    def end(self):
        for program in (self.world.center, self.world.sim):
            try:
                program.stop()
            except AssertionError as error:
                self.fault(program.name, None, str(error)[:3000])
            log = program.log()
            for report in REPORTS:
                if report in log:
                    self.fault(program.name, None, log[log.index(report) - 200:][:3000])


def forgotten():
    """Methods of our services that METHODS has no row for."""
    with open(os.environ["TXC_DESCRIPTORS"], "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
    ours = {f"{file.package}.{service.name}/{method.name}" for file in files if file.package.startswith("txcenter.")
            for service in file.service for method in service.method}
    return sorted(ours - {method.path for method in METHODS})


def arguments():
    names = [method.name for method in METHODS] + ["http2"]
    parser = argparse.ArgumentParser(prog="./dev fuzz --requests N", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=500, metavar="N", help="to each method (500)")
    parser.add_argument("--seed", type=int, default=None, help="of all that is random (another each time)")
    parser.add_argument("--method", action="append", metavar="NAME", help=f"only this one; of {', '.join(names)}")
    parser.add_argument("--only", type=int, default=None, metavar="K", help="only the request of this number")
    options = parser.parse_args()
    unknown = set(options.method or ()) - set(names)
    if unknown:
        parser.error(f"no such method: {', '.join(unknown)}")
    options.method = options.method or names
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    return options


def run(fuzz):
    options = fuzz.options
    fuzz.start()
    for late in (False, True):
        for method in METHODS:
            if method.late == late and method.name in options.method:
                fuzz.run_method(method)
        if not late and "http2" in options.method:
            fuzz.run("http2", lambda number: attack(fuzz.world.center.ports[-1], number, options.seed))
        stats = fuzz.check_health()
        if not late:
            fuzz.settle()
            fuzz.check_agreement()
    fuzz.check_trades()
    print("stats:", json.dumps({name: value for name, value in stats.items() if name.startswith(("sagas", "trades"))}))


def main():
    # Leaks of libraries count too; what is freed comes back soon, so that memory tells something.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=12"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1"
    fuzz = Fuzz(arguments())
    print(f"hostile requests: {fuzz.options.requests} a method, --seed {fuzz.options.seed}", flush=True)
    try:
        for path in forgotten():
            fuzz.fault(path, None, "is not attacked: METHODS has no row for it")
        run(fuzz)
        fuzz.end()
    except (AssertionError, Refused) as error:
        fuzz.fault("center", None, str(error))
    finally:
        fuzz.world.close()
        fuzz.ledger.close()
        shutil.rmtree(fuzz.folder)
    print(f"{len(fuzz.faults)} faults" + (f"; again with --seed {fuzz.options.seed}" if fuzz.faults else ""))
    return 1 if fuzz.faults else 0


if __name__ == "__main__":
    sys.exit(main())
