"""The kinds of center that are killed: on SQLite, on SQLite that loses what was not synced, and, one instance or three, on
MariaDB, on a Galera cluster and on TiDB. Each starts in a world of its own, dies and comes back, and says what is in its store."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

from harness import PROTOS, SYSTEMS, Client, Database, Program, World, scratch
from judge import Row
from load import Front
from mariadb import Mariadb
from patience import until
from scenarios import Stuck
from stage import LIBRARY

SLACK_MS = 5000  # between clocks; older rows have not changed since the last look
TAKEN_OVER_S = 30  # at the latest, by the others
IN_START = 0.15  # of the deaths, while it starts and resumes
STARTS_S = 0.12  # at most, until it dies
NODE_GONE_S = 6  # at most, that it goes on without the node that it used; the others give that one up after 3


class Kind:
    """One center on SQLite."""

    text = "SQLite"
    submitters, buyers = 110, 24
    runs_s = 0.6  # at most, until it dies
    environment = {}

    @classmethod
    def prepare(cls):
        """What all worlds of a run share."""

    @classmethod
    def end(cls):
        pass

    def __init__(self, chance, make_ledger, sim):
        """`make_ledger`: of the world's folder."""
        self.random, self.world = chance, World(sim=sim)
        self.ledger = make_ledger(self.world.folder)
        self.centers, self.targets, self.clients = [], [], []
        self.starting = []  # centers that need not be ready yet
        self.make_store()
        self.configure()

    def make_store(self):
        """An empty one."""

    def config(self):
        systems = {system: {"target": self.world.sim_target, "deadline_ms": 500} for system in SYSTEMS}
        return {
            "log": {"level": "warn", "format": "json"},
            # Only the callback ends a payment: one that was acknowledged and forgotten would never be asked for.
            "payment": {"query_first_ms": 600000, "query_max_ms": 600000},
            "sentinel": {"resume_max": 100},  # a saga that is under way at many deaths is not to blame here
            "submit": {"targets": [self.ledger.target]},
            "participants": systems,
        }

    def configure(self):
        self.world.configure(self.config())
        self.world.center.environment = self.environment
        self.centers, self.targets = [self.world.center], [self.world.center_target]

    def start(self):
        self.world.sim.start()
        self.ledger.start()
        for center in self.centers:
            center.start()
        self.clients = [Client(PROTOS, target, "e2e") for target in self.targets]
        self.world.clients += self.clients

    def front(self, chance):
        return Front(self.clients, chance)

    def close(self):
        self.ledger.kill()
        for center in self.centers:
            center.kill()
        self.world.close()

    def keep(self, folder):
        """Copies everything that is in files, for whoever wants to know what went wrong."""
        shutil.copytree(self.world.folder, folder, ignore=lambda _, names: [name for name in names if name.endswith(".sock")])

    # ---- Deaths -----------------------------------------------------------------------------------------------------

    def choose(self):
        """Who dies next."""
        return self.centers[0]

    def launch(self, center):
        center.launch()
        self.starting.append(center)

    def run(self, center):
        """For a random time, from its start or from when it is ready."""
        if center in self.starting and self.random.random() < IN_START:
            time.sleep(self.random.random() * STARTS_S)
            return
        self.wait_ready(center)
        time.sleep(self.random.random() * self.runs_s)

    def wait_ready(self, *centers):
        for center in centers:
            if center in self.starting:
                self.starting.remove(center)
                center.wait_ready()

    def die(self, center):
        """Returns when."""
        self.kill(center)
        return time.monotonic()

    def kill(self, center):
        center.kill()
        if center in self.starting:
            self.starting.remove(center)

    def one_answers(self):
        """A front of a single instance, which has everything."""
        return Front(self.clients[:1], self.random), self.targets[0]

    # ---- What is in the store ---------------------------------------------------------------------------------------

    def query(self, statement):
        path = os.path.join(self.world.folder, "data", "txcenter.db")
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                return connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise Stuck(f"lost: the store can't be read: {error}") from None

    def rows(self, since_ms=None):
        """By gid: what has changed since then, and all that is unfinished."""
        some = "" if since_ms is None else f" WHERE status <= 3 OR updated_ms >= {since_ms - SLACK_MS}"
        return {gid: Row(*columns)
                for gid, *columns in self.query(f"SELECT gid, flow, status, updated_ms, parked, slot, reason FROM saga{some}")}

    def slots_of(self, _center):
        return range(256)

    def fences(self):
        return [(name, int(incarnation), int(batch_no))
                for name, incarnation, batch_no in self.query("SELECT name, incarnation, batch_no FROM instance")]


class PowerLoss(Kind):
    """The same, and each death also loses every byte that was not synced."""

    text = "SQLite, power loss"
    environment = {"LD_PRELOAD": LIBRARY, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class Forgetful(PowerLoss):
    """Its log is never synced: what it said is forgotten, and that must be found."""

    text = "SQLite, never synced"
    environment = {**PowerLoss.environment, "POWERLOSS_SKIP": "wal"}


class OnMariadb(Kind):
    """One center on MariaDB, flushed and synced at each commit."""

    text = "MariaDB, 1 instance"
    server, folder = None, None

    @classmethod
    def prepare(cls):
        cls.folder = scratch()
        cls.server = Mariadb(cls.folder).start()

    @classmethod
    def end(cls):
        if cls.server:
            cls.server.kill()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def make_store(self):
        self.server.sql("DROP DATABASE IF EXISTS txcenter; CREATE DATABASE txcenter")

    def config(self):
        return {**super().config(), "store": self.server.config()}

    def keep(self, folder):
        super().keep(folder)
        with open(os.path.join(folder, "txcenter.sql"), "wb") as file:
            subprocess.run(["mariadb-dump", *self.server.connection(), "--skip-lock-tables", "--hex-blob", "txcenter"], stdout=file,
                           check=True)

    def query(self, statement):
        found = self.server.sql("USE txcenter; " + statement)
        if found is None:
            raise AssertionError("MariaDB does not answer")
        return found


class Cluster(OnMariadb):
    """Three centers on one MariaDB. One dies, and comes back at once, or after the others have taken over; or it was
    stopped for longer than its lease, and goes on for a moment before it dies."""

    text = "MariaDB, 3 instances"
    submitters, buyers = 230, 24
    worth_killing = 64  # slots, at least, of whoever dies
    waits = (("at once", 60), ("taken over", 20), ("stopped", 20))

    def configure(self):
        sockets = [socket.socket() for _ in range(3)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        self.targets = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            one.close()
        for i, target in enumerate(self.targets):
            config = {**self.config(), "cluster": {"lease_ms": 1000}}
            folder = os.path.join(self.world.folder, f"txcenter-{i}")
            os.mkdir(folder)
            self.world.config_path = os.path.join(folder, "txcenter.yaml")
            self.world.configure({**config, "listen": [target], "instance": f"txcenter-{i}", "data_dir": folder + "/data"})
            self.centers.append(Program(folder, "txcenterd", ["--config", self.world.config_path]))
        arguments = self.world.sim.arguments
        arguments[arguments.index("--center") + 1] = "ipv4:" + ",".join(self.targets)

    def owners(self):
        """By slot."""
        return {int(slot): owner for slot, owner in self.query("SELECT slot, owner FROM slot")}

    def slots_of(self, center):
        name = f"txcenter-{self.centers.index(center)}"
        return {slot for slot, owner in self.owners().items() if owner == name}

    @staticmethod
    def until(holds, what):
        return until(holds, what, TAKEN_OVER_S, Stuck)

    def choose(self):
        owners = self.until(lambda: [c for c in self.centers if len(self.slots_of(c)) >= self.worth_killing],
                            lambda: f"nobody owns {self.worth_killing} slots: {self.owners()}")
        return self.random.choice(owners)

    def die(self, center):
        words, weights = zip(*self.waits)
        wait = self.random.choices(words, weights)[0]
        at = time.monotonic()
        if wait == "stopped":
            center.signal(signal.SIGSTOP)
            self.until(lambda: not self.slots_of(center), "a stopped instance was not taken over from")
            center.signal(signal.SIGCONT)
            time.sleep(self.random.random() * 0.3)
        self.kill(center)
        if wait == "taken over":
            self.until(lambda: not self.slots_of(center), "a dead instance was not taken over from")
        return at

    def one_answers(self):
        for center in self.centers[1:]:
            center.stop()
        return Front(self.clients[:1], self.random), self.targets[0]


class OnAnother(OnMariadb):
    """A database that understands MariaDB's clients."""

    database = ""  # as Database() names it

    @classmethod
    def prepare(cls):
        cls.server = Database(cls.database)

    @classmethod
    def end(cls):
        if cls.server:
            cls.server.close()


class OnGalera(OnAnother):
    """One center on a Galera cluster of three nodes. It comes back at any of them; and now and then the node that it uses
    was killed before it, so that it went on at another one for a while."""

    text, database = "Galera, 1 instance", "galera"
    node_dies = 0.15
    at, down = 0, None  # the node that is tried first; the one that was killed

    def config(self):
        self.at = self.random.randrange(len(self.server.hosts))
        return {**super().config(), "store": self.server.config(self.at)}

    def die(self, center):
        if self.random.random() < self.node_dies:
            self.down = self.at
            self.server.do(f"kill {self.down}")
            time.sleep(self.random.random() * NODE_GONE_S)
        return super().die(center)

    def launch(self, center):
        self.world.configure(self.config())
        super().launch(center)
        if self.down is not None:
            self.server.do(f"restart {self.down}")
            self.down = None


class OnTidb(OnAnother):
    """One center on TiDB."""

    text, database = "TiDB, 1 instance", "tidb"
    runs_s = 2  # a commit takes longer



class GaleraCluster(OnGalera, Cluster):
    """Three centers, each with any of three nodes as its first, to which it comes back."""

    text = "Galera, 3 instances"
    node_dies = 0

    def launch(self, center):
        Cluster.launch(self, center)


class TidbCluster(OnTidb, Cluster):
    """Three centers on one TiDB."""

    text = "TiDB, 3 instances"


KINDS = {"sqlite": Kind, "powerloss": PowerLoss, "mariadb": OnMariadb, "cluster": Cluster}
# Which need more than MariaDB: only when they are named.
ASKED_FOR = {"galera": OnGalera, "galera-cluster": GaleraCluster, "tidb": OnTidb, "tidb-cluster": TidbCluster}
FORGETFUL = {"forgetful": Forgetful}
