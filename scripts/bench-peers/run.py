#!/usr/bin/env python3
"""Modelpager beside what else one might choose, under the same load in the same run.

    run.py MODELPAGER_BINARY [NAME...]      # all peers, or those whose names hold one of NAME

For each: requests accepted in a second with 64 connections, the time to the answer, memory;
then, on an empty store, `kill -9` under load, a new start, and how many of the alerts that were
answered 2xx are still there. A peer that does not install or start is reported and left out.
Writes target/bench-peers.json. Standard library only, and wrk.
"""

import glob
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

from common import Process, Unavailable, fetch, free_port
from peers import PEERS
from postgres import Postgres

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.abspath(f"{HERE}/../../target")
CONNECTIONS = 64
LOAD_SECONDS = int(os.environ.get("BENCH_PEERS_SECONDS", "10"))
KILL_AFTER_SECONDS = 4
# How long what a forwarder still holds may take to reach the sink, and how long a pause in
# it may last: Modelpager finds what was being sent at the kill once its lease has run out.
DRAIN_SECONDS = 150
PAUSE_SECONDS = 75


class Bench:
    def __init__(self, modelpager):
        self.modelpager = os.path.abspath(modelpager)
        self.folder = f"{TARGET}/bench-peers"
        self.notes, self.mark, self._postgres, self.sink = [], "none", None, None
        os.makedirs(self.folder, exist_ok=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            print(f"note: {text}", flush=True)

    def fresh_folder(self, name):
        folder = f"{self.folder}/run/{name}-{time.time_ns()}"
        os.makedirs(folder)
        return folder

    def postgres(self):
        self._postgres = self._postgres or Postgres()
        return self._postgres

    def start_sink(self):
        self.stop_sink()
        self.sink_port = free_port()
        command = [sys.executable, f"{HERE}/sink.py", str(self.sink_port), self.mark]
        self.sink = Process(command, f"{self.folder}/sink.log")
        self.sink.wait_ready(self.sink_url())

    def stop_sink(self):
        if self.sink:
            self.sink.kill()
        self.sink = None

    def sink_url(self):
        return f"http://127.0.0.1:{self.sink_port}/"

    def reached(self):
        return set(fetch(self.sink_url()).decode().split())

    def end(self):
        self.stop_sink()
        if self._postgres:
            self._postgres.stop()
        shutil.rmtree(f"{self.folder}/run", ignore_errors=True)


def wrk(bench, peer, seconds, threads, record=None):
    environment = {**os.environ, "BENCH_PEERS_SHAPE": peer.shape, "BENCH_PEERS_RUN": bench.mark}
    if record:
        environment["BENCH_PEERS_RECORD"] = record
    command = ["wrk", f"-t{threads}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", f"{HERE}/bodies.lua", peer.url()]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def figures(load):
    output = load.communicate(timeout=60)[0]
    found = re.search(r"^BENCH (.*)$", output, re.MULTILINE)
    if not found:
        raise Unavailable(f"the load generator said nothing: {output.strip()[-300:]}")
    return json.loads(found.group(1))


def under_load(bench, peer):
    """Accepted in a second, the time to the answer, and memory."""
    bench.mark = f"load{time.time_ns()}"
    bench.start_sink()
    peer.start()
    idle = peer.process.memory_mb()
    told = figures(wrk(bench, peer, LOAD_SECONDS, threads=2))
    memory = peer.process.memory_mb()
    peer.kill()
    return {
        "accepted_per_second": round((told["requests"] - told["refused"]) / told["seconds"], 1),
        "answered_otherwise": told["refused"],
        "broken": told["broken"],
        "p50_ms": round(told["p50_ms"], 2),
        "p99_ms": round(told["p99_ms"], 2),
        "memory_idle_mb": round(idle, 1),
        "memory_after_mb": round(memory, 1),
    }


def after_kill(bench, peer):
    """How many of those answered 2xx are there after kill -9 and a new start."""
    bench.mark = f"kill{time.time_ns()}"
    bench.start_sink()
    peer.start()
    record = f"{peer.folder}/answered"
    load = wrk(bench, peer, 30, threads=CONNECTIONS, record=record)
    time.sleep(KILL_AFTER_SECONDS)
    peer.kill()
    load.send_signal(signal.SIGINT)
    load.communicate(timeout=30)
    answered = set()
    for name in glob.glob(f"{record}.*"):
        with open(name) as file:
            answered.update(line.strip() for line in file)
    peer.again()
    kept = wait_kept(bench, peer, answered)
    reached = wait_reached(bench, answered) if peer.shape == "webhook" and "delivers" in peer.does else None
    peer.kill()
    told = {"answered": len(answered), "kept": len(answered & kept), "lost": len(answered - kept)}
    if reached is not None:
        told["reached_the_sink"] = len(answered & reached)
    return told


def wait_kept(bench, peer, answered):
    return wait_reached(bench, answered) if peer.role != "stored" else peer.kept(bench.mark)


def wait_reached(bench, answered):
    """What reached the sink, once all has or the pause is too long."""
    end, last, quiet_since = time.monotonic() + DRAIN_SECONDS, -1, time.monotonic()
    while True:
        reached = bench.reached()
        now = time.monotonic()
        if len(reached) != last:
            last, quiet_since = len(reached), now
        if answered <= reached or now > end or now - quiet_since > PAUSE_SECONDS:
            return reached
        time.sleep(0.5)


def measure(bench, kind):
    peer = kind(bench)
    row = {"name": peer.name, "does": peer.does, "kept_means": peer.role}
    print(f"{peer.name} …", flush=True)
    try:
        peer.install()
        row["version"] = peer.version
        row["load"] = under_load(bench, peer)
        row["kill"] = after_kill(bench, peer)
    except (Unavailable, OSError, subprocess.SubprocessError, ValueError) as error:
        row["error"] = f"{type(error).__name__}: {error}"
        print(f"  left out: {error}", flush=True)
    finally:
        peer.kill()
    return row


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal: +(\d+)", file.read()).group(1)) // 1024**2
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def table(rows):
    lines = [
        "| | version | accepted/s | p50 | p99 | memory idle, after | answered 2xx before `kill -9` | there after | lost |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [row["name"], row.get("version", "-")]
        if load := row.get("load"):
            cells.append(f"{load['accepted_per_second']:,.0f}")
            cells += [f"{load['p50_ms']:.1f} ms", f"{load['p99_ms']:.1f} ms"]
            cells.append(f"{load['memory_idle_mb']:.0f}, {load['memory_after_mb']:.0f} MB")
        else:
            cells += ["-"] * 4
        if kill := row.get("kill"):
            cells += [f"{kill['answered']:,}", f"{kill['kept']:,} {row['kept_means']}", f"{kill['lost']:,}"]
        else:
            cells += ["-"] * 3
        lines.append("| " + " | ".join(cells) + " |")
        if "error" in row:
            lines.append(f"| | left out: {row['error'][:200]} |" + " |" * 7)
    return "\n".join(lines)


def main():
    if not shutil.which("wrk"):
        sys.exit("bench-peers: the load comes from wrk: apt-get install wrk")
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wanted = [name.lower() for name in sys.argv[2:]]
    kinds = [kind for kind in PEERS if not wanted or any(name in kind.name.lower() for name in wanted)]
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-peers: stopped"))
    bench = Bench(sys.argv[1])
    about = {"machine": machine(), "connections": CONNECTIONS, "seconds": LOAD_SECONDS}
    try:
        rows = [measure(bench, kind) for kind in kinds]
    finally:
        bench.end()
    print("\n" + table(rows) + "\n")
    for row in rows:
        if "reached_the_sink" in row.get("kill", {}):
            kill = row["kill"]
            print(f"{row['name']}: {kill['reached_the_sink']:,} of {kill['answered']:,} were delivered as well")
    with open(f"{TARGET}/bench-peers.json", "w") as file:
        json.dump({**about, "peers": rows, "notes": bench.notes}, file, indent=2)
    print(f"written to {os.path.relpath(TARGET)}/bench-peers.json")


if __name__ == "__main__":
    main()
