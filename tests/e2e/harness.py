"""The real programs in a folder of their own: txsim and txcenterd over unix sockets and free ports, started, killed, restarted.

Environment (set by CTest): TXC_BIN, the folder of the programs; TXC_DESCRIPTORS, the descriptor set of proto/.
"""

import contextlib
import glob
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
sys.dont_write_bytecode = True

import cases  # noqa: E402
from wire import Client, Protos, Refused  # noqa: E402,F401

BIN = os.environ["TXC_BIN"]
PROTOS = Protos(os.environ["TXC_DESCRIPTORS"])
SECRET = "a secret of sixteen bytes or more"
READY_S = 60  # a busy machine, sanitizers
SYSTEMS = ("user", "oil", "order", "payment", "goods", "card", "discount", "coupon", "points", "level", "marketing",
           "settlement", "push", "invoice", "notify", "activity", "os")


def run():
    cases.run()


def cpu_ns(pid):
    """Time on a CPU, of all its threads together."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def scratch():
    """A new folder, in memory where there is some."""
    return tempfile.mkdtemp(prefix="txc-e2e-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


class Program:
    """A server that says "ready PORT…" on its standard output."""

    def __init__(self, folder, name, arguments, label=None):
        self.folder, self.name, self.arguments = folder, name, arguments
        self.log_path = os.path.join(folder, (label or name) + ".log")
        self.process, self.ports = None, []
        self.environment = {}  # beside ours
        self.prefix = []  # what runs it, if not we
        self.own_session = False  # True: Ctrl-C at the terminal does not reach it

    def launch(self):
        """Without waiting until it is ready."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, os.path.join(BIN, self.name), *self.arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=log,
                start_new_session=self.own_session, env={**os.environ, **self.environment})
        return self

    def start(self):
        return self.launch().wait_ready()

    def wait_ready(self):
        """Once it is launched; and again, when it has started anew."""
        self.ports = [int(word) for word in self._ready_line().split()[1:]]
        return self

    def _ready_line(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = b"" if not selector.select(READY_S) else self.process.stdout.readline()
        if not line.startswith(b"ready"):
            self.kill()
            raise AssertionError(f"{self.name} did not get ready:\n{self.log()}")
        return line.decode()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self):
        """The log's lines as dicts."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def follow(self):
        """The log's lines as they are written, from the beginning; an error when none comes for a long time."""
        tail = subprocess.Popen(["tail", "-n", "+1", "-f", f"--pid={self.pid}", self.log_path], stdout=subprocess.PIPE)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(tail.stdout, selectors.EVENT_READ)
                rest = b""
                while selector.select(READY_S):
                    some = os.read(tail.stdout.fileno(), 65536)
                    if not some:
                        break
                    *lines, rest = (rest + some).split(b"\n")
                    yield from (json.loads(line) for line in lines if line.startswith(b"{"))
            raise AssertionError(f"nothing more came:\n{self.log()}")
        finally:
            tail.kill()
            tail.wait()
            tail.stdout.close()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=READY_S):
        """Its exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end:\n{self.log()}") from None
        finally:
            self._close()

    def stop(self):
        """As an operator would; it must end well."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        if code != 0:
            raise AssertionError(f"{self.name} ended with {code}:\n{self.log()}")

    def kill(self):
        """As a power cut would, for the process."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self):
        if self.process and self.process.stdout:
            self.process.stdout.close()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None


class Database:
    """A MariaDB of the test's own, or a "galera" cluster, or a "tidb", with an empty database "txcenter"."""

    def __init__(self, kind="mariadb"):
        self.process = subprocess.Popen([os.path.join(BIN, "..", "tests", "e2e_database"), kind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, self.place = self.process.stdout.readline().split()
        self.hosts = self.place.split(",") if kind == "galera" else []
        self.dead = set()  # nodes that were killed
        if word != "ready":
            raise AssertionError("no database")

    def config(self, first=0):
        """For the center's configuration; `first`: the node of a cluster that it begins with."""
        hosts = ",".join(self.hosts[first:] + self.hosts[:first])
        where = {"host": hosts, "user": "txc"} if hosts else {"socket": self.place, "user": "root"}
        return {"kind": "mariadb", **where, "database": "txcenter"}

    def do(self, command):
        """kill, restart, pause or resume, of a cluster with a node's number; returns when it is done."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        word, _, node = command.partition(" ")
        if node and word in ("kill", "restart"):
            (self.dead.add if word == "kill" else self.dead.discard)(int(node))
        answer = self.process.stdout.readline()
        if answer != "done\n":
            raise AssertionError(f"{command}: {answer}")

    def connection(self):
        """Options of MariaDB's own programs; of a cluster a node that is there, which has what any of them has committed."""
        if not self.hosts:
            return ["--no-defaults", "--socket=" + self.place, "--user=root"]
        host, _, port = next(host for node, host in enumerate(self.hosts) if node not in self.dead).partition(":")
        return ["--no-defaults", "--host=" + host, "--port=" + port, "--user=txc"]

    def _client(self, *options):
        waits = ["--init-command=SET SESSION wsrep_sync_wait = 15"] if self.hosts else []
        return ["mariadb", *self.connection(), *waits, "--batch", "--skip-column-names", *options]

    def sql(self, statement):
        """Its rows as lists of texts."""
        done = subprocess.run(self._client("-e", statement), capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def locked(self, table):
        """Nobody else reads or writes the table meanwhile: who tries to waits."""
        with subprocess.Popen(self._client("--unbuffered"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write(f"LOCK TABLES {table} WRITE;\nSELECT 'locked';\n")
            session.stdin.flush()
            if session.stdout.readline() != "locked\n":
                raise AssertionError(f"{table} can't be locked")
            try:
                yield
            finally:
                session.stdin.close()

    def close(self):
        self.process.stdin.close()
        self.process.wait(READY_S)
        self.process.stdout.close()


class World:
    """One txsim and one txcenterd that know each other."""

    def __init__(self, config=None, sim=(), store=None):
        """`store`: the section of that name, for a database; None: SQLite."""
        self.folder, self.store = scratch(), store
        self.config_path = os.path.join(self.folder, "txcenter.yaml")
        self.center_target = f"unix:{self.folder}/center.sock"
        self.sim_target = f"unix:{self.folder}/sim.sock"
        self.configure(config or {})
        self.sim = Program(self.folder, "txsim", [
            "serve", "--listen", self.sim_target, "--data", self.folder + "/txsim", "--center", self.center_target,
            "--callback-key", "e2e:" + SECRET, "--seed-world", *sim])
        self.center = Program(self.folder, "txcenterd", ["--config", self.config_path])
        self.clients = []

    def configure(self, changes):
        """Writes the configuration: what tests need, and `changes` ({section: {key: value}}) over it. JSON is YAML."""
        self.write_config(self.config_path, changes)

    def write_config(self, path, changes):
        config = {
            "listen": [self.center_target, "127.0.0.1:0"],
            "data_dir": self.folder + "/data",
            "log": {"level": "debug", "format": "json"},
            "callback": {"keys": [{"id": "e2e", "secret": SECRET}]},
            # A source that is slow because the machine is busy is not what tests are about.
            "quote": {source + "_ms": 0 for source in ("level", "coupons", "points", "points_rule", "activities")},
            "participants": {system: {"target": self.sim_target} for system in SYSTEMS},
            **({"store": dict(self.store)} if self.store else {}),
        }
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(config.get(key), dict):
                config[key].update(value)
            else:
                config[key] = value
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)

    def start(self, sim=True):
        if sim:
            self.sim.start()
        self.center.start()
        return self

    def kill_center(self):
        """As a power cut would; what its clients ask from now on waits for its return."""
        self.center.kill()
        for client in self.clients:
            client.until_lost()

    def client(self, caller="e2e"):
        return self._connect(self.center_target, caller)

    def sim_client(self):
        return self._connect(self.sim_target, None)

    def _connect(self, target, caller):
        self.clients.append(Client(PROTOS, target, caller))
        return self.clients[-1]

    def close(self):
        """Stops what still runs, and takes away the folder."""
        for client in self.clients:
            client.close()
        try:
            for program in (self.center, self.sim):
                if program.running:
                    program.stop()
        finally:
            self.center.kill()
            self.sim.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """A test with a world of its own."""

    def database_config(self):
        """Where the world that is made now keeps what it has; None: SQLite."""

    def world(self, config=None, sim=()):
        made = World(config, sim, self.database_config())
        self.addCleanup(made.close)
        return made

    def refused(self, reason, client, path, fields=None, **options):
        """The call is refused for this reason; returns the details."""
        with self.assertRaises(Refused) as caught:
            client.call(path, fields, **options)
        self.assertEqual(reason, caught.exception.reason, caught.exception)
        return caught.exception
