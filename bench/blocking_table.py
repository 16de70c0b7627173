#!/usr/bin/env python3
"""The table of bench/blocking.sh, out of its runs: blocking_table.py RESULTS_DIR"""

import collections
import csv
import math
import pathlib
import platform
import statistics
import sys

POLICIES = ("inline", "workers", "adaptive")


def medians(rows, column):
    """(policy, fraction, block_us) -> median of all runs; None where nothing was measured."""
    values = collections.defaultdict(list)
    for row in rows:
        key = (row["policy"], float(row["fraction"]), int(row["block_us"]))
        values[key] += [] if row[column] == "-" else [float(row[column])]
    return {key: statistics.median(found) if found else None for key, found in values.items()}


def cell(rate, p99_us):
    return f"{rate:,.0f}" + (f" ({p99_us / 1000:.1f})" if p99_us else "")


def mixes(rows):
    """The lines about the mixes that ran."""
    rates, tails = medians(rows, "requests_per_second"), medians(rows, "p99_us")
    rounds = max(int(row["round"]) for row in rows)
    lines = [
        "Requests/s, in brackets the p99 in ms of those that do not block;",
        f"medians of {rounds} runs of each (runs.tsv). 200 connections, 32 data workers.",
        "The last two columns: `adaptive` over the one of the others that has more requests/s.",
        "",
        "| of 10,000 | block ms | `inline` | `workers` | `adaptive` | adaptive / better | p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    ratios = []
    for fraction, block in sorted({key[1:] for key in rates}):
        rate = {policy: rates[policy, fraction, block] for policy in POLICIES}
        tail = {policy: tails[policy, fraction, block] for policy in POLICIES}
        better = max(POLICIES[:2], key=lambda policy: rate[policy])
        ratios.append(rate["adaptive"] / rate[better])
        known = tail["adaptive"] and tail[better]
        cells = [f"{fraction * 10000:g}", f"{block / 1000:g}"]
        cells += [cell(rate[policy], tail[policy]) for policy in POLICIES]
        cells += [f"**{ratios[-1]:.2f}**"]
        cells += [f"{tail['adaptive'] / tail[better]:.2f}" if known else "-"]
        lines.append("| " + " | ".join(cells) + " |")
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return lines + ["", f"Geometric mean {mean:.3f}, least {min(ratios):.2f}.", ""]


def main():
    results = pathlib.Path(sys.argv[1])
    with open(results / "runs.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    lines = ["# Handlers that block", "", f"Kernel {platform.release()}.", ""]
    if rows:
        lines += mixes(rows)
    lines += [
        "## The pause",
        "",
        "A handler sleeps for 1 s; none has blocked in the second before. The longest wait of",
        "another client of its loop, in windows of 20 ms with and without that:",
        "",
        "```",
        (results / "pause.txt").read_text(encoding="utf-8").strip(),
        "```",
        "",
        "The same where another one has blocked in the second before:",
        "",
        "```",
        (results / "pause_again.txt").read_text(encoding="utf-8").strip(),
        "```",
    ]
    text = "\n".join(lines) + "\n"
    (results / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
