#!/usr/bin/env python3
"""Puts the figures of one run into the README: figures.py RESULTS_DIR [README]

Replaces what stands between `<!-- figures: begin -->` and `<!-- figures: end -->`. Refuses a quick
run and one whose control does not hold: those are no figures.
"""

import json
import pathlib
import sys

import stats

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ROOT = pathlib.Path(__file__).resolve().parents[2]
DISPATCHES = ("inline", "adaptive", "workers")
OURS = (("echo of 64 bytes, one in flight", "echo-{}-64-depth-1"),
        ("echo of 64 bytes, 16 in flight", "echo-{}-64-depth-16"),
        ("echo, 1,000 connections", "echo-{}-1000-depth-1"),
        ("echo, 9,900 connections", "echo-{}-9900-depth-1"),
        ("lines, one in flight", "delay-{}-depth-1"),
        ("lines, 16 in flight", "delay-{}-depth-16"),
        ("lines, one in flight, two CPUs", "delay-{}-depth-1-two-cpus"))
CHARTS = ("echo-64-depth-1.svg", "hand-off.svg", "blocking.svg", "memory.svg", "idle.svg")


class Refused(Exception):
    pass


def cell(found):
    return f"{found['median']:.2f} ({found['low']:.2f}-{found['high']:.2f})" if found else ""


def table(rows):
    lines = ["| | " + " | ".join(f"`{name}`" for name in DISPATCHES) + " |", "|---|---|---|---|"]
    for title, pattern in OURS:
        cells = [cell(rows.get(pattern.format(name))) for name in DISPATCHES]
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def peers_table(everything):
    """Every peer's echo and hand-off, beside ours."""
    found = {}
    for row in everything["rows"]:
        shapes = {"-64-depth-1": 0, "-64-depth-16": 1, "-9900-depth-1": 2}
        column = next((shapes[end] for end in shapes if row["id"].endswith(end)), None)
        if row["service"] == "delay":
            column = 3 if row["id"].endswith("-depth-1") and row["pools"][1] else None
        if column is not None and row["found"] and row["kind"] == "cost":
            found.setdefault(row["b"], [None] * 4)[column] = row["found"]["median"]
    order = sorted(found, key=lambda name: found[name][0] or 9)
    lines = ["| server | echo, 64 | 16 in flight | echo, 9,900 | handed to 16 threads |",
             "|---|---|---|---|---|"]
    for name in order:
        cells = [f"{value:.2f}" if value else "" for value in found[name]]
        shown = name.replace("trireme", "Trireme")
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return lines


def section(everything, link):
    rows = {row["id"]: row["found"] for row in everything["rows"]}
    control = rows.get("control")
    if everything["quick"]:
        raise Refused("a quick run is no ground for a claim")
    if not stats.control_holds(control):
        raise Refused("the control does not hold")
    if not stats.control_holds(rows.get("control-two-cpus")):
        rows = {name: rows[name] for name in rows if not name.endswith("-two-cpus")}
    facts = everything["facts"]
    met = [goal["verdict"] for goal in everything["goals"]]
    lines = [
        "Server CPU of a request over that of a hand-written epoll loop in C, measured in",
        "alternating slices; 1.03 is 3 % dearer. One I/O worker on one CPU, 64 connections where",
        "nothing else is said, medians of five runs with 95 % intervals. The loop against itself",
        f"came out at {control['median']:.3f}. {facts['date']}, {facts['kernel']}. Of {len(met)}",
        f"goals {met.count('met')} are met and {met.count('missed')} missed; the others are void",
        f"or not shown. [The page]({link}/README.md) has all of them, each run, what failed, and",
        "what such a machine cannot show.", "", *table(rows), "",
        "The same cost of others, each written as its users would",
        "([bench/peers](bench/peers)), one run:", "", *peers_table(everything), ""]
    for file in CHARTS:
        if (ROOT / link / file).exists():
            lines.append(f"![{file.removesuffix('.svg')}]({link}/{file})")
    return "\n".join(lines)


def main(folder, readme=ROOT / "README.md"):
    folder = pathlib.Path(folder).resolve()
    everything = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    text = pathlib.Path(readme).read_text(encoding="utf-8")
    try:
        made = section(everything, f"bench/results/{folder.name}")
    except Refused as error:
        print(f"figures.py: {error}", file=sys.stderr)
        return 1
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    pathlib.Path(readme).write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
