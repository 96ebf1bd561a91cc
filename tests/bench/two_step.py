"""Sagas of two steps, submitted from outside: the center, the bare ceiling, and what stands around both."""

import base64
import contextlib
import json
import os
import selectors
import shutil
import signal
import statistics
import subprocess
import time

import harness
from harness import BIN, Program, World
from mariadb import Mariadb

PATH = "/txcenter.saga.v1.SagaService/SubmitSaga"
SERVICE = "/txcenter.bench.v1.StepService/"
MARK = "0" * 26  # bench_load puts a name of its own there
PAYLOAD = b"x" * 140  # of each step, and of each compensation
STEPS = (("reserve", "Reserve", "Release"), ("charge", "Charge", "Refund"))


class BenchProgram(Program):
    """A program of the bench. Some say what they counted when they end."""

    def __init__(self, folder, name, arguments):
        super().__init__(folder, os.path.join("..", "bench", "bench_" + name), arguments)
        self.log_path = os.path.join(folder, f"bench_{name}.log")

    def finish(self):
        """Ends it; what it said last, from JSON."""
        self.signal(signal.SIGTERM)
        said = self.process.stdout.read().decode().splitlines()
        if self.wait() != 0:
            raise AssertionError(f"{self.name} failed:\n{self.log()}")
        return json.loads(said[-1])


class Steps(BenchProgram):
    """The participant, both steps and their compensations, on ports of its own (0: any)."""

    def __init__(self, folder, delay_ms=0, ports=(0,)):
        super().__init__(folder, "steps", [str(delay_ms)] + [f"127.0.0.1:{port}" for port in ports])

    @property
    def targets(self):
        return [f"127.0.0.1:{port}" for port in self.ports]

    @property
    def target(self):
        return self.targets[0]

    def await_first(self, timeout):
        """When the first call has come, by the monotonic clock."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout) or self.process.stdout.readline() != b"first\n":
                raise AssertionError("no call came")
        return time.monotonic()


def call(target, method, **more):
    return {"target": target, "method": SERVICE + method, "payload": base64.b64encode(PAYLOAD).decode(), **more}


def definition(target, retry=None, **more):
    """`retry` is of the actions, `more` of their calls."""
    steps = [{"name": name, "action": call(target, action, **more), "compensation": call(target, undo)} for name, action, undo in STEPS]
    return {"flow": "bench.two_step", "steps": [{**step, "retry": retry} if retry else step for step in steps]}


def submit_request(saga, wait_ms=30000):
    """The bytes of a request, with the mark where its name comes."""
    return harness.PROTOS.message("txcenter.saga.v1.SubmitSagaRequest",
                                  {"request_id": MARK, "wait_ms": wait_ms, "saga": saga}).SerializeToString()


def load(folder, target, requests, *options, path=PATH, pids=None, each=None):
    """Runs bench_load; its last line. `each` is called with every line before."""
    words = [os.path.join(BIN, "..", "bench", "bench_load"), target, path, *map(str, options)]
    for i, request in enumerate(requests):
        file_path = os.path.join(folder, f"request-{i}.bin")
        with open(file_path, "wb") as file:
            file.write(request)
        words += ["--request", file_path]
    for name, pid in (pids or {}).items():
        words += ["--pid", f"{name}={pid}"]
    rows = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if rows and each:
                each(rows[-1])
            rows.append(json.loads(line))
        errors = process.stderr.read()
    if process.returncode != 0 or not rows:
        raise AssertionError(f"bench_load ends with {process.returncode}: {errors}")
    rows[-1]["errors"] = errors.strip()
    return rows[-1]


class Center:
    """Our center, with nothing in its configuration but where the steps are and the store."""

    name = "center"

    def __init__(self, steps, store, config=None):
        self.config = {"listen": ["127.0.0.1:0"], "log": {"level": "warn", "format": "json"}, "participants": {},
                       "submit": {"targets": steps.targets}, **store.center(), **(config or {})}
        self.world = World(self.config)
        self.request = submit_request(definition(steps.target))

    def start(self):
        self.world.start(sim=False)
        return self

    def configure(self, changes):
        """For its next start."""
        self.world.configure({**self.config, **changes})

    @property
    def target(self):
        return f"127.0.0.1:{self.world.center.ports[0]}"

    @property
    def pid(self):
        return self.world.center.pid

    def client(self):
        """Anew after each restart, as the port is another."""
        self.world.center_target = self.target
        return self.world.client()

    def stats(self, client=None):
        rows = (client or self.client()).call("txcenter.ops.v1.StatsService/GetStats").stats
        return {row.name: row.value for row in rows}

    def finish(self):
        """Ends it; the commits and rows that there were."""
        try:
            stats = self.stats()
            self.world.center.stop()
            return {"commits": stats["store.commits"], "rows": stats["store.rows"]}
        finally:
            self.world.close()

    def kill(self):
        self.world.center.kill()
        self.world.close()


class Ceiling(BenchProgram):
    """The same calls and commits, and nothing else."""

    def __init__(self, steps, store):
        self.place = harness.scratch()
        super().__init__(self.place, "ceiling", ["127.0.0.1:0", steps.target, store.ceiling(self.place)])
        self.request = submit_request(definition(steps.target))

    def kill(self):
        super().kill()
        shutil.rmtree(self.place, ignore_errors=True)

    @property
    def target(self):
        return f"127.0.0.1:{self.ports[0]}"


class Sqlite:
    """A new file for each run."""

    name, pids = "sqlite", {}

    def start(self):
        return self

    def fresh(self):
        pass

    def center(self):
        return {}

    def ceiling(self, folder):
        return os.path.join(folder, "ceiling.db")

    def close(self):
        pass


class MariadbStore:
    """One server, flushed and synced at each commit, with a new database for each run; with as much memory as one has that
    does nothing else."""

    name = "mariadb"
    memory = ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G", "--binlog-cache-size=1M"]

    def __init__(self, folder, port=0):
        """With a port it also listens on 127.0.0.1, for as many connections as a peer may want."""
        network = ["--bind-address=127.0.0.1", f"--port={port}", "--max-connections=2000"]
        self.server, self.port = Mariadb(folder, self.memory + (network if port else ["--skip-networking"])), port

    def start(self):
        self.server.start()
        return self

    @property
    def pids(self):
        return {"database": self.server.process.pid}

    def fresh(self):
        for name in ("txcenter", "ceiling"):
            self.server.sql(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")

    def center(self):
        return {"store": self.server.config()}

    def ceiling(self, folder):
        return self.server.socket

    def close(self):
        self.server.kill()


@contextlib.contextmanager
def side_of(make, store):
    """(folder, steps, side), the steps running and the side to be started, on a new database; all gone at the end."""
    store.fresh()
    folder = harness.scratch()
    steps = Steps(folder).start()
    side = make(steps, store)
    try:
        yield folder, steps, side
    finally:
        side.kill()
        steps.kill()
        shutil.rmtree(folder, ignore_errors=True)


def run(make, store, options, in_flight=None):
    """One run of one side in a new database; its figures."""
    with side_of(make, store) as (folder, steps, side):
        side.start()
        row = load(folder, side.target, [side.request], *options, path=getattr(side, "path", PATH),
                   pids={"center": side.pid, "steps": steps.pid, **store.pids})
        row.update(side.finish())
        calls = steps.finish()["calls"]
    # Each saga made its two calls; nothing was answered before it had ended. (Beyond the window of the figures, too.)
    sagas = calls / len(STEPS)
    if calls % len(STEPS) or sagas < row["calls"]:
        raise AssertionError(f"{row['calls']} sagas of {len(STEPS)} steps made {calls} calls")
    if in_flight:
        row["in_flight"] = in_flight
    if "commits" in row:
        row["commits_per_saga"], row["rows_per_saga"] = row["commits"] / sagas, row["rows"] / sagas
    return row


def alternating(first, second, pairs, done=None):
    """Runs both so many times, in turn, and in the other order each time; the rows of each."""
    rows = ([], [])
    for i in range(pairs):
        for which in ((0, 1) if i % 2 == 0 else (1, 0)):
            rows[which].append((first, second)[which]())
        if done:
            done(rows[0][-1], rows[1][-1])
    return rows


def ratios(ours, theirs, name="per_second"):
    """Median, least and most of the ratios of the pairs."""
    each = [mine[name] / other[name] for mine, other in zip(ours, theirs)]
    return {"median": statistics.median(each), "least": min(each), "most": max(each)}
