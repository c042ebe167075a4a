"""Who is compared, how each is installed, started and asked what it has.

Every peer has `start()` (on an empty store), `again()` (after a kill, on the same store) and
`kept(mark)`: the instances that it still has, or that reached the sink, by its role.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

from common import Process, Unavailable, free_port

HERE = os.path.dirname(os.path.abspath(__file__))


def install(folder, *packages):
    """Python packages into an environment of their own; answers the folder of its programs."""
    programs = f"{folder}/bin"
    if not os.path.exists(f"{programs}/python"):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    pip = [f"{programs}/python", "-m", "pip", "--disable-pip-version-check", "install", "-q", *packages]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise Unavailable(f"pip install {' '.join(packages)}: {done.stderr.strip()[-300:]}")
    return programs


def installed_version(programs, package):
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([f"{programs}/python", "-c", code], capture_output=True, text=True).stdout.strip()


class Peer:
    """`shape`: in whose words it is posted to. `role`: what a kept alert is."""

    shape, path, ready, role = "webhook", "/", "/", "stored"

    def __init__(self, bench):
        self.bench = bench
        self.process = None

    def start(self):
        self.folder = self.bench.fresh_folder(type(self).__name__)
        self.port = free_port()
        self.again()

    def again(self):
        command, environment = self.command()
        self.process = Process(command, f"{self.folder}/log", env={**os.environ, **environment}, cwd=self.folder)
        self.process.wait_ready(f"http://127.0.0.1:{self.port}{self.ready}")

    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def kept(self, mark):
        return self.bench.reached()

    def kill(self):
        if self.process:
            self.process.kill()
        self.process = None


class ModelpagerSqlite(Peer):
    name, path, ready = "Modelpager, SQLite", "/webhooks/alertmanager", "/-/ready"
    does = "stores, then makes an incident and a message of each and delivers it"

    def install(self):
        self.binary = self.bench.modelpager
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True)
        self.version = done.stdout.split()[-1] if done.stdout else "?"

    def start(self):
        self.storage = None
        super().start()

    def command(self):
        self.storage = self.storage or self.new_storage()
        config = {
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "storage": {"url": self.storage},
            "channels": [{"name": "sink", "kind": "webhook", "url": self.bench.sink_url()}],
            "route": {"channels": ["sink"]},
        }
        with open(f"{self.folder}/modelpager.yml", "w") as file:
            json.dump(config, file)
        return [self.binary, "serve", "--config", f"{self.folder}/modelpager.yml"], {}

    def new_storage(self):
        return f"sqlite://{self.folder}/modelpager.db"

    def kept(self, mark):
        instances = re.compile(re.escape(mark).encode() + rb"-\d+-\d+z")
        database = sqlite3.connect(f"file:{self.folder}/modelpager.db?mode=ro", uri=True)
        with database:
            bodies = database.execute("SELECT body FROM events")
            kept = {found.group().decode() for (body,) in bodies if (found := instances.search(body))}
        database.close()
        return kept


class ModelpagerPostgres(ModelpagerSqlite):
    name = "Modelpager, PostgreSQL"

    def install(self):
        super().install()
        self.version += f", PostgreSQL {self.bench.postgres().version()}"

    def new_storage(self):
        self.database, address = self.bench.postgres().fresh("modelpager")
        return address

    def kept(self, mark):
        pattern = f"{mark}-[0-9]+-[0-9]+z"
        sql = f"SELECT DISTINCT substring(convert_from(body, 'UTF8') from '{pattern}') FROM events"
        return set(self.bench.postgres().query(self.database, sql)) - {""}


class Alerta(Peer):
    name, path, ready = "Alerta", "/webhooks/prometheus", "/_"
    does = "stores (PostgreSQL; gunicorn, 4 workers of 4 threads)"

    def install(self):
        packages = ("alerta-server", "psycopg2-binary", "gunicorn")
        self.programs = install(f"{self.bench.folder}/alerta", *packages)
        self.version = installed_version(self.programs, "alerta-server")
        self.version += f", PostgreSQL {self.bench.postgres().version()}"

    def start(self):
        self.database, self.address = self.bench.postgres().fresh("alerta")
        # Workers that begin together on an empty database disturb each other.
        schema = [f"{self.programs}/python", "-c", "import alerta; alerta.create_app()"]
        done = subprocess.run(schema, env={**os.environ, **self.settings()}, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"its schema could not be made: {done.stderr.strip()[-300:]}")
        super().start()

    def settings(self):
        return {"DATABASE_URL": self.address, "SECRET_KEY": "bench", "AUTH_REQUIRED": "False"}

    def command(self):
        gunicorn = [f"{self.programs}/gunicorn", "-w", "4", "-k", "gthread", "--threads", "4"]
        where = ["-b", f"127.0.0.1:{self.port}", "alerta:create_app()"]
        return gunicorn + where, {"HOME": self.folder, **self.settings()}

    def kept(self, mark):
        sql = f"SELECT resource FROM alerts WHERE resource LIKE '{mark}-%'"
        return set(self.bench.postgres().query(self.database, sql)) - {""}


class Alertmanager(Peer):
    name, shape, path, ready, role = "Alertmanager", "alerts", "/api/v2/alerts", "/-/ready", "reached the sink"
    does = "keeps in memory, then forwards each as a webhook (group_wait 1s, a group for each)"

    def install(self):
        self.binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if not self.binary:
            raise Unavailable("not installed: apt-get install prometheus-alertmanager")
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True)
        self.version = (re.search(r"version (\S+)", done.stdout + done.stderr) or ["", "?"])[1].rstrip(",")

    def command(self):
        config = {
            "route": {
                "receiver": "sink",
                "group_by": ["instance"],
                "group_wait": "1s",
                "group_interval": "1m",
                "repeat_interval": "4h",
            },
            "receivers": [{"name": "sink", "webhook_configs": [{"url": self.bench.sink_url()}]}],
        }
        with open(f"{self.folder}/alertmanager.yml", "w") as file:
            json.dump(config, file)
        return [
            self.binary,
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ], {}


class Apprise(Peer):
    name, shape, ready, role = "apprise", "message", "/", "reached the sink"
    does = "forwards before it answers (the library behind gunicorn, 4 workers of 4 threads)"

    def install(self):
        try:
            install(f"{self.bench.folder}/apprise-api", "apprise-api")
            self.bench.note("apprise-api is on PyPI by now: scripts/bench-peers/peers.py should use it")
        except Unavailable:
            self.bench.note("apprise's API does not install from PyPI: the library stands behind a small server")
        self.programs = install(f"{self.bench.folder}/apprise", "apprise", "gunicorn")
        self.version = installed_version(self.programs, "apprise")

    def command(self):
        gunicorn = [f"{self.programs}/gunicorn", "-w", "4", "-k", "gthread", "--threads", "4"]
        where = ["-b", f"127.0.0.1:{self.port}", "--chdir", HERE, "apprise_app:app"]
        target = self.bench.sink_url().replace("http://", "json://")
        return gunicorn + where, {
            "BENCH_PEERS_TARGET": target,
            "HOME": self.folder,
            "PYTHONDONTWRITEBYTECODE": "1",
        }


PEERS = [ModelpagerSqlite, ModelpagerPostgres, Alerta, Alertmanager, Apprise]
