"""The nearest peer, DTM, on the same database with synchronous branch records, carrying out the same saga of two branches."""

import json
import os
import shutil
import socket
import subprocess
import time

import harness
from two_step import MARK, PAYLOAD, SERVICE, STEPS

MODULE, VERSION = "github.com/dtm-labs/dtm", "v1.19.0"
READY_S = 30


def go(folder, *words):
    """Runs the Go tool in the folder; what it prints. A build takes minutes the first time, and says what it does."""
    return subprocess.run(["go", *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def build(folder):
    """The program and its schema, from its Go module, which the Go tool fetches and checks; kept in the folder."""
    program, schema = os.path.join(folder, "dtm"), os.path.join(folder, "schema.sql")
    if os.path.exists(program) and os.path.exists(schema):
        return program, schema
    if not shutil.which("go"):
        raise SystemExit("bench: --peer dtm needs Go (1.24 or newer) on the PATH")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    print(f"building {MODULE} {VERSION}; the first time this takes some minutes", flush=True)
    go(folder, "mod", "init", "txcenter.test/peer")
    go(folder, "get", "-tool", f"{MODULE}@{VERSION}")
    go(folder, "build", "-o", program, MODULE)
    shutil.copyfile(os.path.join(go(folder, "list", "-m", "-f", "{{.Dir}}", MODULE).strip(), "sqls", "dtmsvr.storage.mysql.sql"), schema)
    return program, schema


def free_ports(n):
    """Numbers that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def field(number, data):
    """A length-delimited field of a protobuf message."""
    size, length = len(data), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def submit_request(steps):
    """DtmRequest: a saga whose Submit is answered when it has ended."""
    branches = [{"action": steps.target + SERVICE + action, "compensate": steps.target + SERVICE + undo}
                for _, action, undo in STEPS]
    wait_result = bytes([1 << 3, 1])
    return (field(1, MARK.encode()) + field(2, b"saga") + field(3, wait_result) + field(5, PAYLOAD) * len(STEPS)
            + field(7, json.dumps(branches).encode()))


class Dtm:
    name, path = "dtm", "/dtmgimp.Dtm/Submit"

    def __init__(self, steps, store, program, schema):
        self.folder, self.store, self.program, self.schema = harness.scratch(), store, program, schema
        self.request = submit_request(steps)
        self.process, self.port = None, 0

    def start(self):
        http, self.port, json_rpc = free_ports(3)
        config = {"Store": {"Driver": "mysql", "Host": "127.0.0.1", "Port": self.store.port, "User": "root", "Password": "", "Db": "dtm"},
                  "HttpPort": http, "GrpcPort": self.port, "JsonRpcPort": json_rpc, "UpdateBranchSync": 1, "LogLevel": "error"}
        with open(os.path.join(self.folder, "dtm.yml"), "w", encoding="utf-8") as file:
            json.dump(config, file)  # JSON is YAML
        with open(self.schema, encoding="utf-8") as file:
            if self.store.server.sql(file.read()) is None:
                raise AssertionError("the schema of DTM can't be made")
        with open(os.path.join(self.folder, "dtm.log"), "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", "dtm.yml"], cwd=self.folder, stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        while not self.serves():
            if time.monotonic() > end or self.process.poll() is not None:
                with open(os.path.join(self.folder, "dtm.log"), encoding="utf-8") as log:
                    raise AssertionError("DTM did not get ready:\n" + log.read()[-2000:])
            time.sleep(0.1)
        return self

    def serves(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def finish(self):
        left = self.store.server.sql("SELECT COUNT(*) FROM dtm.trans_global WHERE status <> 'succeed'")
        if left != [["0"]]:
            raise AssertionError(f"DTM left {left} sagas unfinished")
        self.kill()
        return {}

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
