#!/usr/bin/env python3
"""The server's CPU of a request alone, from the slices that a page keeps.

usage: alone.py RESULTS_FOLDER [ROW...]

The page's cost is server CPU over load CPU. Where a server sleeps between requests, its client pays
for waking it: a load that wakes A more often than B is a longer yardstick for A, and B looks dearer
than it is. Slices A B B A cancel the machine's drift without a yardstick, if less sharply.
"""

import json
import pathlib
import sys

import runner
import stats


def server_cpu(one):
    requests = runner.usage_requests(one)
    return one["server_cpu_ns"] / requests if requests else 0


def rows_of(folder):
    """Row -> the slices of each of its runs, of those rows whose page gives a cost."""
    rows = {}
    for path in sorted(folder.glob("runs/*.json")):
        slices = json.loads(path.read_text()).get("slices", [])
        if slices and "load_cpu_ns" in slices[0]:
            rows.setdefault(path.stem.rpartition("-")[0], []).append(slices)
    return rows


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    rows = rows_of(pathlib.Path(arguments[0]))
    print("| row | server CPU alone | 95 % | as on the page | switches A | B | runs |")
    print("|---|---|---|---|---|---|---|")
    for row in arguments[1:] or rows:
        runs = rows[row]
        alone = stats.summary([stats.geometric_ratios(run, server_cpu) for run in runs])
        page = stats.summary([stats.cost_ratios(run) for run in runs])
        slept = [stats.median([runner.sums_of(run)[side]["context_switches"] for run in runs])
                 for side in "ab"]
        print(f"| {row} | {alone['median']:.3f} | {alone['low']:.3f}-{alone['high']:.3f} | "
              f"{page['median']:.3f} | {slept[0]:.3f} | {slept[1]:.3f} | {alone['runs']} |")


if __name__ == "__main__":
    main(sys.argv[1:])
