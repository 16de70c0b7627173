#!/usr/bin/env python3
"""The programs of bench/ that share the load engine. Usage: programs_test.py FOLDER

Goal: command lines and results of the timers and cpu_gaps stay what scripts rely on. Method: each
for a moment against a real server; the figures are not looked at.
"""

import json
import os
import pathlib
import re
import socketserver
import subprocess
import sys
import threading
import unittest

FOLDER = None


def run(program, *words):
    return subprocess.run([FOLDER / program, *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=50, check=False)


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back what comes, and counts its clients."""

    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65536):
                self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.url = f"tcp://127.0.0.1:{self.server_address[1]}"
        self.accepted = 0

    def process_request(self, request, client_address):
        self.accepted += 1
        super().process_request(request, client_address)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Programs(unittest.TestCase):
    def test_ab_timer(self):
        floor = f"{FOLDER}/floor_epoll lines 0"
        done = run("ab_timer", "--a", floor, "--b", floor, "--scenario", "lines", "--seconds",
                   "0.4", "--slice-ms", "20", "--warmup-slices", "2", "--depth", "4")
        self.assertEqual(done.returncode, 0, done.stderr)
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(names[:4], ["ratio", "ratio_low", "ratio_high", "quadruples"])
        for side in "ab":
            for name in ("requests_per_second", "server_cpu_us", "load_cpu_us",
                         "context_switches"):
                self.assertIn(f"{side}_{name}", names)

    def test_ab_timer_renews_connections(self):
        """Each slice has its own ones: the server accepts one for each, not one for all."""
        for renew, accepted in (("0", 2), ("1", 8)):
            with EchoServer() as server:
                sides = [word for side in "ab" for word in
                         (f"--{side}-url", server.url, f"--{side}-pid", str(os.getpid()))]
                done = run("ab_timer", *sides, "--seconds", "0.4", "--slice-ms", "50",
                           "--warmup-slices", "0", "--connections", "1", "--renew", renew)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("quadruples 2\n", done.stdout)
            self.assertEqual(server.accepted, accepted, renew)

    def test_latency_timer_is_both_ends_itself(self):
        words = ("latency_timer", "--a", "both-ends", "--b", "both-ends", "--seconds", "0.4",
                 "--slice-ms", "50", "--warmup-ms", "10", "--connections", "1")
        for rate in (0, 2000):
            done = run(*words, "--rate", str(rate))
            self.assertEqual(done.returncode, 0, done.stderr)
            slices = json.loads(done.stdout)["slices"]
            self.assertEqual([one["side"] for one in slices], list("ABBAABBA"))
            for one in slices:
                self.assertEqual(one["latency_us"]["count"], one["requests"])
                self.assertGreater(one["requests"], 0)
                if rate > 0:  # 100 are due, and those that the end of the warm-up has left
                    self.assertLessEqual(one["requests"], 200)
        for wrong in (("--depth", "2"), ("--scenario", "lines")):
            done = run(*words, *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)

    def test_pause_timer(self):
        with subprocess.Popen([FOLDER / "trireme", "serve", "delay", "--listen",
                               "tcp://127.0.0.1:0"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as server:
            url = server.stdout.readline().split()[-1]
            done = run("pause_timer", url, "--pairs", "2", "--gap-ms", "20", "--sleep-ms", "40")
            server.terminate()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^added_us p50 -?\d+ p90 -?\d+ p99 -?\d+ max -?\d+$")
        self.assertTrue(re.search(r"felt \d of 2", done.stdout), done.stdout)

    def test_cpu_gaps(self):
        """Every step of the clock counted, they are all of the time; of a second or more, none."""
        none = run("cpu_gaps", "--seconds", "0.1", "--least-us", "1e6")
        self.assertEqual({json.loads(line)["per_second"] for line in none.stdout.splitlines()}, {0})
        done = run("cpu_gaps", "--seconds", "0.1", "--least-us", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([one["cpu"] for one in lines], sorted(os.sched_getaffinity(0)))
        for one in lines:
            self.assertEqual(one["share"], 1)
            self.assertGreater(one["per_second"], 0)
            self.assertGreaterEqual(one["p99_us"], one["p50_us"])
            self.assertGreaterEqual(one["max_us"], one["p99_us"])

    def test_mistakes(self):
        for words in (("ab_timer",), ("ab_timer", "--a", "true", "--b", "true", "--rate", "5"),
                      ("cpu_gaps", "1"), ("cpu_gaps", "--seconds", "0"), ("pause_timer",),
                      ("pause_timer", "nonsense")):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
