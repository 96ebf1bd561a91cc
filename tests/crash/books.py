"""The ledger of the callers' sagas: the program, and what it has written down."""

import os
import signal

from harness import Program

UNDONE = ("undone", "empty")


class Ledger(Program):
    """A participant with a durable ledger of its own. It dies, too, now and then."""

    def __init__(self, folder, seed, permille):
        self.target = f"unix:{folder}/ledger.sock"
        self.path = os.path.join(folder, "ledger.txt")
        super().__init__(folder, os.path.join("..", "tests", "crash_ledger"), [self.path, str(seed), str(permille), self.target])
        self.log_path = os.path.join(folder, "crash_ledger.log")

    def restart(self):
        self.kill()
        self.start()

    def calm(self):
        """No faults any more."""
        self.signal(signal.SIGUSR1)


class Key:
    """What came under a key."""

    def __init__(self, gid, step):
        self.gid, self.step, self.state, self.effects, self.ops, self.bodies = gid, step, "never", 0, set(), {}


class Books:
    """The lines of the ledger's file, read as they come."""

    def __init__(self, path):
        self.path, self.offset, self.rest = path, 0, b""
        self.keys = {}
        self.sagas = {}  # keys by gid
        self.faults = 0  # that the ledger made up
        self.twice = []  # keys that took effect again

    def read(self):
        """The gids of what is new."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            some = file.read()
        self.offset += len(some)
        *lines, self.rest = (self.rest + some).split(b"\n")
        return {self._take(line.decode().split(" ")) for line in lines}

    def _take(self, words):
        name, gid, step, operation, body, what, fault = words
        self.faults += fault != "-"
        key = self.keys.get(name)
        if not key:
            key = self.keys[name] = Key(gid, step)
            self.sagas.setdefault(gid, []).append(key)
        key.ops.add(operation)
        key.bodies.setdefault(operation, set()).add(body)
        if what == "applied":
            key.effects += 1
            if key.state != "never":
                self.twice.append(name)
        if what in ("applied", "refused", *UNDONE):
            key.state = "undone" if what in UNDONE else what
        return gid

    def of(self, gid):
        return self.sagas.get(gid, [])
