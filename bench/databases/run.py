#!/usr/bin/env python3
"""What databases behind handlers cost. Usage: bench/databases/run.py BIN_DIR [--quick]

1. Rows that `collect` acknowledges in a second, with 64 and 1,000 writers, on SQLite and on
   PostgreSQL, beside the same rows without a server: in batches on one connection, as many rows as
   there are writers (the limit), and one by one (each its own commit). The lines take turns; median
   of the rounds.
2. How long requests without a query take while others wait for queries of a second: none, 24 of
   them, 32 of them (all data workers), 32 with the quick requests pinned to the loop. 2,000
   requests/s on 16 connections.

A private PostgreSQL on the disk of /var/tmp, with fsync; so is SQLite. Needs the packages of the
group `databases`.
Prints Markdown. Exit: 0; 1 something failed; 77 PostgreSQL is missing.
"""

import json
import pathlib
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from functools import partial

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "databases"))
import instances  # noqa: E402

WRITERS = (64, 1000)
INSERT = "INSERT INTO readings(device, metric, value, time) VALUES "


class Rows:
    """The lines of part 1: each is a name and a function that returns rows a second."""

    def __init__(self, folder, bin_dir, seconds, postgres):
        self.folder, self.bin, self.seconds, self.postgres = folder, bin_dir, seconds, postgres
        self.count = 0

    def fresh_file(self):
        self.count += 1
        return self.folder / f"readings{self.count}.db"

    def load(self, service, writers):
        script = self.folder / "rows.script"
        script.write_text('send "d${connection} m 21.5 ${round}\\n"\nexpect-line "OK"\n')
        done = subprocess.run(
            [self.bin / "trireme", "bench", "script", f"tcp://127.0.0.1:{service.port}",
             "--script", script,
             "--connections", str(writers), "--duration", f"{self.seconds}s", "--json"],
            capture_output=True, text=True, check=False)
        run = json.loads(done.stdout)
        assert run["passed"], run["problem"]
        return run["requests_per_second"]

    def collect(self, url, writers):
        service = instances.collect(self.bin / "trireme", self.folder, "collect", url)
        assert service.port, service.errors()
        try:
            return self.load(service, writers)
        finally:
            service.kill()

    def sqlite(self, batch):
        """As services/sqlite_database.cc has it: a log, synced at each commit."""
        database = sqlite3.connect(self.fresh_file(), isolation_level=None)
        for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                    "CREATE TABLE readings(device TEXT NOT NULL, metric TEXT NOT NULL, "
                    "value REAL NOT NULL, "
                    "time REAL NOT NULL)",
                    "CREATE INDEX readings_by_time ON readings(device, metric, time)"):
            database.execute(sql)
        begin, rounds = time.monotonic(), 0
        while time.monotonic() < begin + self.seconds:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(INSERT + "(?, ?, ?, ?)",
                                 [(f"d{row}", "m", 21.5, float(rounds)) for row in range(batch)])
            database.execute("COMMIT")
            rounds += 1
        took = time.monotonic() - begin
        database.close()
        return rounds * batch / took

    def pgbench(self, batch):
        script = self.folder / "batch.sql"
        values = ",".join(f"('d{row}','m','21.5','1')" for row in range(batch))
        script.write_text(f"{INSERT} {values};\n")
        done = subprocess.run(
            [instances.find("pgbench"), "-n", "-h", self.postgres.socket, "-U", "trireme", "-c",
             "1", "-T",
             str(self.seconds), "-f", script, "postgres"], capture_output=True, text=True,
             check=False)
        found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
        assert found, done.stderr
        return float(found.group(1)) * batch

    def all(self):
        url = self.postgres.url()
        for count in WRITERS:
            writers = f"{count:,} writers"
            yield "SQLite", writers, "collect", partial(self.collect, self.fresh_file(), count)
            yield "SQLite", writers, "batches", partial(self.sqlite, count)
            yield "PostgreSQL", writers, "collect", partial(self.collect, url, count)
            yield "PostgreSQL", writers, "batches", partial(self.pgbench, count)
        yield "SQLite", "one by one", "single", partial(self.sqlite, 1)
        yield "PostgreSQL", "one by one", "single", partial(self.pgbench, 1)


def part_one(rows, rounds):
    found = {}
    for _ in range(rounds):
        for database, writers, kind, measure in rows.all():
            rows.postgres.sql("TRUNCATE readings; CHECKPOINT", check=False)
            found.setdefault((database, writers, kind), []).append(measure())
            print(f"  {database}, {writers}, {kind}: {found[database, writers, kind][-1]:,.0f}",
                  file=sys.stderr)
    middle = {key: statistics.median(values) for key, values in found.items()}
    print("| rows/s | `collect` | batches on one connection, the limit | one by one "
          "| `collect` / limit |\n|---|---|---|---|---|")
    for database in ("SQLite", "PostgreSQL"):
        single = middle[database, "one by one", "single"]
        for writers in (f"{count:,} writers" for count in WRITERS):
            ours, limit = middle[database, writers, "collect"], middle[database, writers, "batches"]
            spread = ", ".join(f"{value:,.0f}" for value in sorted(found[database, writers,
                                                                         "collect"]))
            print(f"| {database}, {writers} | {ours:,.0f} ({spread}) | {limit:,.0f} "
                  f"| {single:,.0f} | {ours / limit:.2f} |")


class Background:
    """So many connections that each have a query of a second at work."""

    def __init__(self, bin_dir, port, queries, seconds):
        self.child = None
        if queries:
            self.child = subprocess.Popen(
                [bin_dir / "trireme", "bench", "lines", f"tcp://127.0.0.1:{port}", "--connections",
                 str(queries),
                 "--block", "1", "--block-time", "1s", "--duration", f"{seconds + 6}s"],
                 stdout=subprocess.DEVNULL)

    def end(self):
        if self.child:
            self.child.terminate()
            self.child.wait()


def quick_requests(bin_dir, folder, postgres, queries, pinned, seconds):
    """Percentiles of requests without a query, in ms, and how many were refused or unsent."""
    service = instances.Service(folder, "queries", [bin_dir / "databases_queries", postgres.url()] +
                                (["pinned"] if pinned else []))
    assert service.port, service.errors()
    background = Background(bin_dir, service.port, queries, seconds)
    try:
        if queries:
            running = ("SELECT count(*) FROM pg_stat_activity "
                       "WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")
            instances.wait_for(lambda: int(postgres.sql(running)) >= queries - 1, "queries run")
        done = subprocess.run(
            [bin_dir / "trireme", "bench", "lines", f"tcp://127.0.0.1:{service.port}",
             "--connections", "16",
             "--rate", "2000", "--duration", f"{seconds}s", "--json"], capture_output=True,
             text=True, check=False)
        run = json.loads(done.stdout)
        return {"p50": run["latency_us"]["p50"] / 1000, "p99": run["latency_us"]["p99"] / 1000,
                "max": run["latency_us"]["max"] / 1000, "answered": run["requests"],
                "refused": run["refused"],
                "wrong": run["wrong_bytes"]}
    finally:
        background.end()
        service.kill()


def part_two(bin_dir, folder, postgres, seconds, rounds):
    cases = {"no query": (0, False), "24 queries": (24, False), "32 queries": (32, False),
             "32 queries, quick requests pinned": (32, True)}
    found = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (queries, pinned) in cases.items():
            found[name].append(quick_requests(bin_dir, folder, postgres, queries, pinned, seconds))
            print(f"  {name}: {found[name][-1]}", file=sys.stderr)
    print("\n| while there are | p50 ms | p99 ms | longest ms | answered/s | refused |\n"
          "|---|---|---|---|---|---|")
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        assert middle["wrong"] == 0, name
        print(f"| {name} | {middle['p50']:.2f} | {middle['p99']:.2f} | {middle['max']:.1f} "
              f"| {middle['answered'] / seconds:,.0f} | {middle['refused']:.0f} |")


def test(folder, running):
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    quick = "--quick" in sys.argv
    seconds, rounds = (2, 1) if quick else (4, 3)
    postgres = instances.Postgres(folder, "postgres")
    running.append(postgres)
    postgres.initialize()
    postgres.start()
    instances.collect(bin_dir / "trireme", folder, "schema", postgres.url()).kill()
    part_one(Rows(folder, bin_dir, seconds, postgres), rounds)
    part_two(bin_dir, folder, postgres, seconds, rounds)


if __name__ == "__main__":
    sys.exit(instances.main(["postgres", "psql", "pgbench"], test, place="/var/tmp"))
