"""Several centers on one MariaDB of their own, and what is asked of them through any of them."""

import os
import socket
import time

from harness import PROTOS, Database, Program, World
from patience import PATIENCE_S, until
from shop import SAGA
from wire import Client, Refused

# That lie in slots whose owners are told apart: GetTrade says nothing of an owner, the store does.
OWNERS = "SELECT slot, owner FROM txcenter.slot"


def free_ports(n):
    """Ports that nobody has just now."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Instances(World):
    """txsim, and centers that share a database. Each listens on a socket of its own, where the others reach it, and on a
    port; the payment gateway's callbacks go to any port that answers."""

    def __init__(self, n=3, config=None, sim=(), database=None):
        super().__init__(config, sim)
        self.own_database = database is None
        self.database = database or Database()
        self.ports = free_ports(n)
        self.centers = []
        self.targets = [f"unix:{self.folder}/center-{i}.sock" for i in range(n)]
        addresses = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.sim.arguments[self.sim.arguments.index("--center") + 1] = "ipv4:" + addresses
        for i in range(n):
            path = os.path.join(self.folder, f"center-{i}.yaml")
            self.centers.append(Program(self.folder, "txcenterd", ["--config", path], label=f"center-{i}"))
        self.configure_all(config or {})

    def configure_all(self, changes):
        for i, port in enumerate(self.ports):
            own = {"listen": [self.targets[i], f"127.0.0.1:{port}"], "instance": f"center-{i}",
                   "data_dir": f"{self.folder}/data-{i}"}
            store = {**self.database.config(), **changes.get("store", {})}
            self.write_config(os.path.join(self.folder, f"center-{i}.yaml"), {**changes, **own, "store": store})

    def start(self, sim=True):
        if sim:
            self.sim.start()
        for center in self.centers:
            center.launch()
        for center in self.centers:
            center.wait_ready()
        return self

    def client_of(self, i, caller="e2e"):
        return self._connect(self.targets[i], caller)

    def anywhere(self, caller="e2e"):
        return Anywhere(self.targets, caller)

    # ---- Who owns what ----------------------------------------------------------------------------------------------

    def owners(self):
        """Slots by instance number, as the database has them."""
        owned = {i: set() for i in range(len(self.centers))}
        for slot, owner in self.database.sql(OWNERS):
            if owner:
                owned[int(owner.rpartition("-")[2])].add(int(slot))
        return owned

    def until_owners(self, holds, what):
        """Waits until it holds of who owns what; returns that."""
        def fitting():
            owners = self.owners()
            return owners if holds(owners) else None

        return until(fitting, lambda: f"{what}: { {i: len(slots) for i, slots in self.owners().items()} }")

    def until_balanced(self):
        """Until each instance that runs has its share, and knows it."""
        share = 256 // len(self.centers)
        return self.until_owners(lambda owners: all(len(slots) >= share for slots in owners.values()), "not balanced")

    def close(self):
        try:
            for center in self.centers:
                if center.running:
                    center.stop()
        finally:
            for center in self.centers:
                center.kill()
            super().close()
            if self.own_database:
                self.database.close()


class Anywhere:
    """A caller who goes to the next instance when one does not answer, until one does."""

    def __init__(self, targets, caller, first=0):
        self.clients = [Client(PROTOS, target, caller) for target in targets]
        self.at = first
        self.tried = []  # of the last call: what each instance said before the one that answered, and when

    def close(self):
        for client in self.clients:
            client.close()

    def call(self, path, fields=None, timeout=8, patience_s=PATIENCE_S, **options):
        begun = time.monotonic()
        end = begun + patience_s
        self.tried = []
        options.pop("wait_for_ready", None)
        while True:
            client = self.clients[self.at % len(self.clients)]
            try:
                return client.call(path, fields, timeout=timeout, wait_for_ready=False, **options)
            except Refused as refused:
                if not refused.is_passing or time.monotonic() > end:
                    raise
                self.tried.append(f"{self.at % len(self.clients)} said {refused.code} {refused.reason} {refused.text!r} "
                                  f"after {time.monotonic() - begun:.2f} s")
                self.at += 1
                time.sleep(0.01)

    def get_saga(self, gid):
        return self.call(SAGA + "GetSaga", {"gid": gid}).saga
