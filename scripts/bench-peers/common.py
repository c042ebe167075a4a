"""What the parts of the comparison share."""

import glob
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


class Unavailable(Exception):
    """A peer cannot take part here; says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()


class Process:
    """A server with all its children, in a process group of its own."""

    def __init__(self, command, log, **options):
        with open(log, "ab") as file:
            self.child = subprocess.Popen(
                command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True, **options
            )
        self.log = log

    def wait_ready(self, url, seconds=30):
        """Until it answers anything but a server error."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.child.poll() is not None:
                break
            try:
                fetch(url, 2)
                return
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        with open(self.log, errors="replace") as file:
            raise Unavailable(f"did not start: {file.read()[-400:].strip()}")

    def memory_mb(self):
        """What the group's processes hold, what they share counted once."""
        total = 0
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat) as file:
                    group = int(file.read().rsplit(")", 1)[1].split()[2])
                if group == self.child.pid:
                    with open(stat.replace("stat", "smaps_rollup")) as file:
                        total += int(re.search(r"^Pss: +(\d+)", file.read(), re.MULTILINE).group(1))
            except (OSError, ValueError, IndexError, AttributeError):
                continue
        return total / 1024

    def kill(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
