"""A MariaDB of our own: private folder and socket, durable as in production, stopped by its pid."""

import os
import subprocess

from patience import until_serves


class Mariadb:
    def __init__(self, folder, arguments=("--skip-networking",)):
        self.arguments = list(arguments)
        self.folder = os.path.join(folder, "mariadb")
        self.socket = os.path.join(folder, "mariadb.sock")
        self.log_path = os.path.join(folder, "mariadb.log")
        self.tmp = os.path.join(folder, "mariadb-tmp")  # servers that share one delete each other's files
        self.process = None

    def start(self):
        os.makedirs(self.tmp, exist_ok=True)
        user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}"]
        with open(self.log_path, "ab") as log:
            if not os.path.isdir(self.folder):
                subprocess.run(["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal",
                                "--skip-test-db", f"--datadir={self.folder}", *user], check=True, stdout=log, stderr=log)
            self.process = subprocess.Popen(
                ["mariadbd", "--no-defaults", f"--datadir={self.folder}", f"--socket={self.socket}",
                 "--tmpdir=" + self.tmp, "--innodb-log-file-size=64M", "--innodb-buffer-pool-size=128M", "--log-bin=bin", "--sync-binlog=1",
                 "--innodb-flush-log-at-trx-commit=1", "--pid-file=" + self.folder + ".pid", *user,
                 *self.arguments],
                stdout=log, stderr=log)
        until_serves(self.process, lambda: self.sql("CREATE DATABASE IF NOT EXISTS txcenter") is not None,
                     "mariadbd did not get ready; see " + self.log_path)
        return self

    def connection(self):
        """Options of MariaDB's own programs."""
        return ["--no-defaults", "--socket=" + self.socket, "--user=root"]

    def sql(self, statement):
        """The rows as lists of texts; None when the server does not answer."""
        done = subprocess.run(["mariadb", *self.connection(), "--batch", "--skip-column-names", "-e", statement],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None
        return [line.split("\t") for line in done.stdout.splitlines()]

    def config(self):
        """For the center's configuration."""
        return {"kind": "mariadb", "socket": self.socket, "user": "root", "database": "txcenter"}

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
