#!/usr/bin/env python3
"""What TLS costs beside a hand-written epoll loop on OpenSSL, as one page.

usage: bench/tls.py BIN_DIR [--quick] [--only WORD] [--name NAME]

Rows of cost: ab_timer, floor_tls against `trireme serve echo`, server on one CPU, load on the
other; the rows take turns, several rounds.
Memory: `trireme bench idle` with a fresh server each. Others
beside handshakes: 100 plain connections at a fixed rate, with and without 200 full handshakes a
second on another port of the same loop. Leaves README.md and results.json in
build/bench-results/DATE-NAME/. About 10 minutes; --quick 2. Exit: 0; 1 something failed.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER_CPU = os.environ.get("SERVER_CPU", "0")
LOAD_CPU = os.environ.get("LOAD_CPU", "1")

# Name, bar, server B of the row, options of ab_timer.
ECDSA, RSA = "ecdsa", "rsa"
COST_ROWS = (
    ("control: the floor against itself, echo", None, "floor", ECDSA, ()),
    ("echo of 64 bytes, TLS 1.3, inline", 1.25, "inline", ECDSA, ()),
    ("echo of 64 bytes, TLS 1.3, adaptive", 1.25, "adaptive", ECDSA, ()),
    ("full handshakes, ECDSA, inline", 1.20, "inline", ECDSA, ("--scenario", "churn")),
    ("full handshakes, ECDSA, adaptive", 1.20, "adaptive", ECDSA, ("--scenario", "churn")),
    ("full handshakes, RSA, adaptive", 1.20, "adaptive", RSA, ("--scenario", "churn")),
    ("resumed handshakes, inline", 1.20, "inline", ECDSA,
     ("--scenario", "churn", "--tls-resume", "1")),
    ("resumed handshakes, adaptive", 1.20, "adaptive", ECDSA,
     ("--scenario", "churn", "--tls-resume", "1")),
    ("messages of 1 MiB, adaptive", 1.25, "adaptive", ECDSA,
     ("--bytes", str(1 << 20), "--connections", "4", "--congestion", "cubic")),
)
IDLE_BYTES_BAR = 17 * 1024
PLAIN_P99_BAR_US = 3000


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def make_certificate(folder, kind):
    key = (("-newkey", "rsa:2048") if kind == RSA else
           ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
    subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-days", "30", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    f"{folder}/{kind}.key", "-out", f"{folder}/{kind}.pem"], check=True,
                   stderr=subprocess.DEVNULL)


def openssl_version():
    return subprocess.run(["openssl", "version"], text=True, stdout=subprocess.PIPE,
                          check=True).stdout.strip()


class Bench:
    def __init__(self, options):
        self.bin = pathlib.Path(options.bin).resolve()
        self.quick = options.quick
        self.only = options.only
        self.folder = self.make_folder(options.name)
        for kind in (ECDSA, RSA):
            make_certificate(self.folder, kind)
        self.failures = []

    @staticmethod
    def make_folder(name):
        first = ROOT / "build/bench-results" / f"{datetime.date.today()}-{name}"
        folder = first
        for number in range(2, 100):
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                folder = first.with_name(f"{first.name}-{number}")
        sys.exit("tls.py: too many results of today")

    def server(self, which, kind=ECDSA, *more):
        files = [f"{self.folder}/{kind}.pem", f"{self.folder}/{kind}.key"]
        if which == "floor":
            return [f"{self.bin}/floor_tls", "0", *files]
        return [f"{self.bin}/trireme", "serve", "echo", "--dispatch", which, "--io-workers", "1",
                "--log-level", "error", "--listen", "tls://127.0.0.1:0", *more, "--tls-cert",
                files[0], "--tls-key", files[1]]

    def run(self, command):
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        if done.returncode != 0:
            self.failures.append(f"{' '.join(command)}: {done.stdout[-300:]} {done.stderr[-300:]}")
            say("failed:", self.failures[-1])
            return None
        return done.stdout

    def cost(self, which, kind, words, seconds):
        said = self.run([f"{self.bin}/ab_timer", "--a", " ".join(self.server("floor", kind)),
                         "--b", " ".join(self.server(which, kind)), "--server-cpu", SERVER_CPU,
                         "--load-cpu", LOAD_CPU, "--seconds", str(seconds), "--slice-ms", "50",
                         *words])
        if said is None:
            return None
        return {name: float(value) for name, value in
                (line.split() for line in said.splitlines())}

    def cost_rows(self):
        rounds, seconds = (1, 2) if self.quick else (4, 6)
        wanted = [row for row in COST_ROWS if re.search(self.only, row[0])]
        found = {row[0]: [] for row in wanted}
        for number in range(rounds):
            for name, _, which, kind, words in wanted:
                result = self.cost(which, kind, words, seconds)
                if result:
                    found[name].append(result)
                    say(f"round {number + 1}: {name}: {result['ratio']:.3f}")
        return found

    def start(self, command):
        process = subprocess.Popen(["taskset", "-c", SERVER_CPU, *command], text=True,
                                   stdout=subprocess.PIPE)
        return process

    @staticmethod
    def stop(process):
        process.terminate()
        process.wait(20)
        process.stdout.close()

    def bench(self, *words):
        said = self.run(["taskset", "-c", LOAD_CPU, f"{self.bin}/trireme", "bench", *words,
                         "--json"])
        return json.loads(said) if said else None

    def idle(self):
        found = {"floor": [], "adaptive": []}
        for _ in range(1 if self.quick else 3):
            for which, values in found.items():
                process = self.start(self.server(which))
                url = process.stdout.readline().split()[-1]
                run = self.bench("idle", url, "--connections", "2000", "--active", "1",
                                 "--duration", "200ms", "--warm-up", "0", "--pid",
                                 str(process.pid))
                self.stop(process)
                if run:
                    values.append(run["server"]["bytes_per_connection"])
        return found

    def beside(self):
        """p99 of plain connections, without and with handshakes on another port."""
        found = {"without": [], "with": []}
        process = self.start(self.server("adaptive", ECDSA, "--listen", "tcp://127.0.0.1:0"))
        urls = [process.stdout.readline().split()[-1] for _ in range(2)]
        secure = next(url for url in urls if url.startswith("tls"))
        plain = next(url for url in urls if url.startswith("tcp"))
        seconds = "2s" if self.quick else "5s"
        for number in range(2 if self.quick else 12):
            which = "with" if number % 4 in (1, 2) else "without"  # A B B A
            other = None
            if which == "with":
                other = subprocess.Popen(
                    ["taskset", "-c", LOAD_CPU, f"{self.bin}/trireme", "bench", "handshakes",
                     secure, "--rate", "200", "--connections", "20", "--duration", "1h"],
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            run = self.bench("echo", plain, "--connections", "100", "--rate", "2000", "--duration",
                             seconds, "--warm-up", "1s")
            if other:
                other.send_signal(2)
                said = other.communicate(timeout=60)[0]
                say(next((line for line in said.splitlines() if "requests/s" in line), said))
            if run:
                found[which].append(run["latency_us"]["p99"])
                say(f"{which}: p99 {run['latency_us']['p99']:.0f} us")
        self.stop(process)
        return found

    def page(self, costs, idle, beside):
        lines = ["# TLS", "",
                 f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, "
                 f"{platform.system()} {platform.release()}, {openssl_version()}.",
                 "", "Server CPU a request, divided by the load's, of Trireme over the floor: the "
                 "median of the runs, and all of them.", "",
                 "| row | bar | median | runs | server CPU, floor | server CPU, ours |",
                 "|---|---|---|---|---|---|"]
        for name, bar, *_ in COST_ROWS:
            runs = costs.get(name)
            if not runs:
                continue
            ratios = [run["ratio"] for run in runs]
            cpu = [statistics.median(run[f"{side}_server_cpu_us"] for run in runs) for side in "ab"]
            lines.append(f"| {name} | {bar or ''} | {statistics.median(ratios):.3f} | "
                         f"{' '.join(f'{ratio:.3f}' for ratio in sorted(ratios))} | "
                         f"{cpu[0]:.2f} us | {cpu[1]:.2f} us |")
        lines += ["", "| resident bytes of an idle connection | bar | median | runs |",
                  "|---|---|---|---|"]
        for which, values in idle.items():
            if values:
                lines.append(f"| {which} | {IDLE_BYTES_BAR if which != 'floor' else ''} | "
                             f"{statistics.median(values):.0f} | "
                             f"{' '.join(f'{value:.0f}' for value in sorted(values))} |")
        lines += ["", "p99 of 100 plain connections, 2,000 requests/s; a bar on the difference of "
                  f"the medians, {PLAIN_P99_BAR_US} us.", "",
                  "| 200 full handshakes/s beside them | median | runs |", "|---|---|---|"]
        for which, values in beside.items():
            if values:
                lines.append(f"| {which} | {statistics.median(values):.0f} us | "
                             f"{' '.join(f'{value:.0f}' for value in sorted(values))} |")
        if self.failures:
            lines += ["", "Failed runs:", ""] + [f"- {failure}" for failure in self.failures]
        return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="cost rows that match")
    parser.add_argument("--name", default="tls")
    options = parser.parse_args()
    bench = Bench(options)
    costs = bench.cost_rows()
    everything = not options.only
    idle = bench.idle() if everything or "idle" in options.only else {}
    beside = bench.beside() if everything or "beside" in options.only else {}
    page = bench.page(costs, idle, beside)
    (bench.folder / "README.md").write_text(page, encoding="utf-8")
    (bench.folder / "results.json").write_text(
        json.dumps({"costs": costs, "idle": idle, "beside": beside, "failures": bench.failures},
                   indent=1), encoding="utf-8")
    print(page)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
