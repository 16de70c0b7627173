"""Trireme beside the floor programs and its peers: bench/compare BIN_DIR [WHAT] [option]...

`--help` lists them. Leaves tables, charts and every run in build/bench-results/DATE-NAME/, also of
the runs before SIGINT or SIGTERM; with --keep the page is the one in bench/results, too.
Exit: 0; 1 the control is void, a server is wrong, a run failed, or it was interrupted; 2 bad
arguments.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import sys
import time

import charts
import check
import goals
import keep
import machine
import plan
import quiet
import runner
import schedule
import servers
import tables

WHAT = ("all", "control", "echo", "lines", "offload", "churn", "stream", "latency", "idle",
        "memory", "peers")

DESCRIPTION = ("Trireme beside floor programs and peers: tables and charts in "
               "build/bench-results/. "
               "`./dev bench blocking` measures mixes of requests that block, "
               "`./dev bench databases` servers in front of databases.")


def parse(words):
    parser = argparse.ArgumentParser(
        prog="./dev bench", usage="./dev bench [WHAT] [option]...", description=DESCRIPTION)
    parser.add_argument("bin_dir", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("what", nargs="?", default="all", choices=WHAT, metavar="WHAT",
                        help=f"one of {', '.join(WHAT)} (all)")
    parser.add_argument("--quick", action="store_true", help="one short run a row, 5 minutes")
    parser.add_argument("--keep", action="store_true", help="the page replaces the one in "
                        "bench/results, which the tree keeps; not with --quick")
    parser.add_argument("--name", help="of the folder of results (WHAT)")
    parser.add_argument("--only", default="", help="rows whose id matches this expression")
    parser.add_argument("--minutes", type=float,
                        help=f"in all ({schedule.MINUTES}; quick {schedule.MINUTES_QUICK})")
    parser.add_argument("--rounds", type=int,
                        help=f"runs of a row with a goal ({schedule.ROUNDS}; "
                        f"quick {schedule.ROUNDS_QUICK}): more narrow the bounds")
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS",
                        help="wait so long in all, besides, for a machine at rest (0)")
    parser.add_argument("--at-rest", type=float, metavar="US",
                        help="CPU time of a request of the floor on a machine at rest, if it is "
                        "known; else the least that was seen")
    parser.add_argument("--list", action="store_true", help="print the rows and do nothing")
    arguments = parser.parse_args(words)
    if arguments.name and not re.fullmatch(r"[A-Za-z0-9._-]+", arguments.name):
        parser.error("--name takes letters, digits, `.`, `_` and `-`")
    if arguments.keep and (arguments.quick or arguments.what != "all" or arguments.only):
        parser.error("--keep takes a whole run: no WHAT, no --quick, no --only")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds takes 1 or more")
    if not arguments.bin_dir.is_dir():
        parser.error(f"no folder {arguments.bin_dir}")
    return arguments


def choose(arguments, drivers, congestion):
    """(rows to run, sentences about what is left out)."""
    skipped = []
    for driver in servers.DRIVER_NAMES:
        if driver not in drivers:
            skipped.append(f"`trireme serve` has no driver {driver}: its rows.")
    if congestion is None:
        skipped.append("No congestion control without pacing may be set: streams of 64 KiB.")
    missing = set()
    rows = []
    for row in plan.all_rows(drivers, congestion):
        wanted = arguments.what == "all" or row.group in ("control", arguments.what)
        wanted = wanted or (arguments.what == "idle" and row.group == "idle-chart")
        wanted = wanted and (row.quick or not arguments.quick)
        if not wanted or (row.id != "control" and not re.search(arguments.only, row.id)):
            continue
        absent = [server.program for server in (row.a, row.b)
                  if not (arguments.bin_dir / server.program).exists()]
        if absent:
            missing.update(absent)
        else:
            rows.append(row)
    skipped += [f"{program} is not built: its rows." for program in sorted(missing)]
    return rows, skipped


def save(folder, title, rows, records, skipped, facts, quick):
    drawn = charts.draw_all(rows, records, facts["date"])
    for _, file, picture in drawn:
        (folder / file).write_text(picture, encoding="utf-8")
    names = [(name, file) for name, file, _ in drawn]
    text, listed = tables.page(title, facts, rows, records, skipped, names, quick)
    (folder / "README.md").write_text(text, encoding="utf-8")
    described = [{"id": row.id, "group": row.group, "title": row.title, "kind": row.kind,
                  "a": row.a.name, "b": row.b.name, "service": row.service, "load": row.load,
                  "pools": row.pools, "pinned": row.pinned, "idle": row.idle,
                  "found": goals.measured(row, records), "runs": records.get(row.id, [])}
                 for row in rows]
    everything = {"title": title, "quick": quick, "facts": facts, "goals": listed,
                  "rows": described, "left_out": skipped}
    (folder / "results.json").write_text(keep.as_json(everything), encoding="utf-8")
    return text


def main(words):
    arguments = parse(words)
    begin = time.monotonic()
    bin_dir = arguments.bin_dir = arguments.bin_dir.resolve()
    servers.raise_descriptor_limit()
    congestion = machine.steady_congestion()
    rows, skipped = choose(arguments, servers.find_drivers(bin_dir), congestion)
    if arguments.list:
        print("\n".join(row.id for row in rows))
        return 0
    for tool in ("ab_timer", "latency_timer", "idle_holder", "floor_epoll", "trireme"):
        if not (bin_dir / tool).exists():
            print(f"bench/compare: {bin_dir / tool} is missing: ./dev build", file=sys.stderr)
            return 1
    if check.main(bin_dir, []) == 1:
        print("bench/compare: a server is wrong, and faster for it: nothing measured",
              file=sys.stderr)
        return 1
    pinned = (os.cpu_count() or 1) > 1 and shutil.which("taskset")
    cpus = (int(os.environ.get("SERVER_CPU", 0)), int(os.environ.get("LOAD_CPU", 1)))
    facts = machine.describe(bin_dir)
    facts["pinned"] = f"servers on CPU {cpus[0]}, load on CPU {cpus[1]}" if pinned else "nothing"
    folder = keep.make_folder(arguments.name or arguments.what)
    runs = runner.Runner(bin_dir, folder, *(cpus if pinned else (None, None)))
    silence = quiet.Quiet(quiet.floor_look(bin_dir, runs.pins()), arguments.patience,
                          arguments.at_rest)
    rounds, minutes = schedule.ROUNDS, schedule.MINUTES
    if arguments.quick:
        rounds, minutes = schedule.ROUNDS_QUICK, schedule.MINUTES_QUICK
    rounds, minutes = arguments.rounds or rounds, arguments.minutes or minutes
    jobs = schedule.jobs_of(rows, rounds)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    records, left, why = schedule.run_jobs(jobs, runs.run, begin + minutes * 60, wait=silence.wait)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page is made, whatever comes
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if silence.looks:
        facts["machine"] = silence.sentence()
        facts["looks at it, us"] = " ".join(f"{one:.2f}" for one in silence.looks)
    if left:
        skipped.append(f"{left} of {len(jobs)} runs of {minutes:g} minutes: {why}.")
    title = f"Trireme beside the floor and its peers: {arguments.what}"
    print(save(folder, title, rows, records, skipped, facts, arguments.quick))
    print(f"in {folder}", file=sys.stderr)
    if arguments.keep:
        print(f"kept in {keep.keep(folder)}", file=sys.stderr)
    failed = any("error" in record for own in records.values() for record in own)
    failed = failed or why == schedule.INTERRUPTED
    return 1 if failed or goals.control_verdict(records, "control") is False else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
