"""A Redis of our own: a unix socket in a private folder, nothing on disk, ended by its pid."""

import os
import signal
import socket
import subprocess

from patience import until_serves


class Redis:
    def __init__(self, folder, password=None):
        self.folder, self.password = folder, password
        self.socket = os.path.join(folder, "redis.sock")
        self.process = None

    def start(self):
        arguments = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "no"]
        if self.password:
            arguments += ["--requirepass", self.password]
        with open(os.path.join(self.folder, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(["redis-server", *arguments], stdout=log, stderr=log)
        until_serves(self.process, self.answers, "redis-server did not get ready; see redis.log")
        return self

    def answers(self):
        try:
            self.ask("PING")
            return True
        except (OSError, AssertionError):
            return False

    def ask(self, *words):
        """One command; the first line of its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            reader = connection.makefile("rb")
            for command in ([("AUTH", self.password)] if self.password else []) + [words]:
                parts = [word.encode() if isinstance(word, str) else word for word in command]
                connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
                line = reader.readline().decode()
                if not line or line[0] == "-":
                    raise AssertionError(f"{words[0]}: {line}")
            return line[1:].strip()

    def keys(self, pattern):
        """Those that fit."""
        return int(self.ask("EVAL", "return #redis.call('KEYS', ARGV[1])", "0", pattern))

    def config(self, **more):
        """For the center's configuration."""
        return {"kind": "redis", "socket": self.socket, **more}

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
