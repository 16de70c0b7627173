#!/usr/bin/env python3
"""What `trireme bench` writes can be read by programs. Usage: bench_output_test.py TRIREME

Goal: --json is one JSON object with every documented field, --plot one XML document, also of runs
that fail. Method: Python's own readers, and the table of docs/bench.md.
"""

import fcntl
import json
import os
import pathlib
import pty
import re
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TRIREME = None


class Serve:
    def __init__(self, service):
        self.service = service

    def __enter__(self):
        self.process = subprocess.Popen(
            [TRIREME, "serve", self.service, "--listen", "tcp://127.0.0.1:0"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return self.process.stdout.readline().split()[-1]

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def bench(*words):
    return subprocess.run([TRIREME, "bench", *words], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50)


def read_all(terminal):
    """What was written to a terminal whose other end is closed."""
    said = b""
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # the end
            os.close(terminal)
            return said.decode()


def fields_of(value, name=""):
    """The paths of all fields; those of an array are those of its first element."""
    if isinstance(value, list):
        return fields_of(value[0], name + "[]") if value else set()
    if not isinstance(value, dict):
        return {name}
    return {path for key, inner in value.items()
            for path in fields_of(inner, f"{name}.{key}" if name else key)}


def documented():
    text = (ROOT / "docs/bench.md").read_text(encoding="utf-8")
    table = text.split("## The JSON object")[1].split("\n## ")[0]
    found = set()
    for line in table.split("\n"):
        if line.startswith("| `"):
            found.update(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return found


class Output(unittest.TestCase):
    def test_json_has_the_documented_fields(self):
        with Serve("delay") as url, tempfile.TemporaryDirectory() as folder:
            done = bench("lines", url, "--duration", "1200ms", "--warm-up", "0", "--json",
                         "--rate", "500", "--block", "0.2", "--block-time", "1ms", "--plot",
                         folder + "/a.svg", "--pid", str(1))
            # Process 1 is not the server, but everyone has one.
            run = json.loads(done.stdout)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(fields_of(run), documented())
            self.assertEqual([second["seconds"] for second in run["per_second"]][0], 1)
            self.assertEqual(len(run["per_second"]), 2)
            self.assertEqual(sum(second["requests"] for second in run["per_second"]),
                             run["requests"])
            latency = run["latency_us"]
            order = [latency[name] for name in ("p50", "p90", "p99", "p99_9", "p99_99", "max")]
            self.assertEqual(order, sorted(order))
            self.check_plot(folder + "/a.svg")

    def check_plot(self, file):
        root = ElementTree.parse(file).getroot()
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, space + "svg")
        words = [text.text for text in root.iter(space + "text")]
        for expected in ("Latency by percentile", "99 %", "Throughput over time, requests/s",
                         "seconds since the warm-up", "blocking", "1 s"):
            self.assertIn(expected, words)
        self.assertEqual(len(list(root.iter(space + "polyline"))), 3)
        width, height = float(root.get("width")), float(root.get("height"))
        for line in root.iter(space + "polyline"):
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                self.assertTrue(0 <= x <= width and 0 <= y <= height, point)

    def on_terminal(self, url, kind, columns=0):
        """What a run says to a terminal, and its result."""
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 0, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        done = subprocess.run([TRIREME, "bench", "echo", url, "--duration", "600ms", "--warm-up",
                               "0", "--json"], stdout=subprocess.PIPE, stderr=end, timeout=50,
                              check=False, env=environment | {"TERM": kind})
        os.close(end)
        self.assertEqual(done.returncode, 0)
        json.loads(done.stdout)
        return read_all(terminal)

    def test_progress_is_for_terminals(self):
        with Serve("echo") as url:
            said = self.on_terminal(url, "xterm")
            self.assertRegex(said, r"\rmeasuring, \d of 1 s: [\d,]+ requests/s")
            self.assertTrue(said.endswith("\r\x1b[K"), "the line is taken away")
            narrow = self.on_terminal(url, "xterm", columns=24)
            self.assertRegex(narrow, r"\r\d/1 s, [\d,]+/s")
            for line in narrow.split("\r"):
                self.assertLess(len(line.replace("\x1b[K", "")), 24)
            self.assertEqual(self.on_terminal(url, "dumb"), "")

    def test_a_terminal_that_stands_still_does_not_hold_up_the_run(self):
        with Serve("echo") as url:
            terminal, end = pty.openpty()
            termios.tcflow(end, termios.TCOOFF)  # as Ctrl-S does
            done = subprocess.run([TRIREME, "bench", "echo", url, "--duration", "300ms",
                                   "--warm-up", "0", "--json"], stdout=subprocess.PIPE,
                                  stderr=end, timeout=50, check=False)
            termios.tcflow(end, termios.TCOON)
            os.close(end)
            os.close(terminal)
        self.assertEqual(done.returncode, 0)
        json.loads(done.stdout)

    def test_json_of_runs_that_fail(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # and does not listen
            url = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
            for words in (("echo",), ("churn", "--duration", "100ms", "--warm-up", "0")):
                done = bench(words[0], url, "--json", *words[1:])
                run = json.loads(done.stdout)
                self.assertEqual(done.returncode, 1)
                self.assertFalse(run["passed"])
                self.assertIn("refused", run["problem"])

    def test_json_of_every_scenario(self):
        for service, words in (("echo", ("churn",)), ("echo", ("idle", "--connections", "20")),
                               ("discard", ("stream", "--direction", "up"))):
            with Serve(service) as url:
                done = bench(words[0], url, *words[1:], "--json", "--duration", "200ms",
                             "--warm-up", "0")
                self.assertEqual(json.loads(done.stdout)["scenario"], words[0])
                self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    TRIREME = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
