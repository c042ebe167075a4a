"""A PostgreSQL of our own, with the settings it comes with: started, asked, stopped."""

import glob
import os
import shutil
import subprocess
import tempfile
import time

from common import Unavailable, free_port


class Postgres:
    def __init__(self):
        # Debian keeps the server's programs out of the way.
        self.programs = ":".join(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
        # Its server refuses to run as root, and its user may not enter our folders.
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.folder = tempfile.mkdtemp(prefix="bench-peers-postgres-", dir="/var/tmp")
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self.data = f"{self.folder}/data"
        self.port = free_port()
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self.run("pg_ctl", "-D", self.data, "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def run(self, program, *arguments):
        path = shutil.which(program, path=f"{self.programs}:{os.environ['PATH']}")
        if not path:
            raise Unavailable(f"{program} is not installed: apt-get install postgresql")
        command = [*self.as_user, path, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)
        if done.returncode != 0:
            raise Unavailable(f"{program}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def fresh(self, name):
        """The address of a new database."""
        name = f"{name}_{time.time_ns()}"
        self.query("postgres", f"CREATE DATABASE {name}")
        return name, f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def query(self, database, sql):
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        return self.run("psql", "-X", *address, "-At", "-c", sql).split("\n")

    def version(self):
        return self.query("postgres", "SHOW server_version")[0].split()[0]

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
