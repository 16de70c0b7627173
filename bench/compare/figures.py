#!/usr/bin/env python3
"""Puts the figures of one run into docs/performance.md and the README: figures.py RESULTS_DIR

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
CHARTS = ("echo-64-depth-1.svg", "echo-9900-depth-1.svg", "hand-off.svg", "memory.svg")
# The README: what is measured, and of whom.
SMALL = (("echo of 64 bytes", "echo-{}-64-depth-1", "adaptive"),
         ("the same, 16 in flight", "echo-{}-64-depth-16", "adaptive"),
         ("echo, 9,900 connections", "echo-{}-9900-depth-1", "adaptive"),
         ("each request handed to another thread", "delay-{}-depth-1", "workers"))
SMALL_PEERS = ("libuv", "asio", "go", "netty")


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


def small_table(everything):
    """Ours beside the peers that most readers know."""
    rows = {row["id"]: row for row in everything["rows"]}
    names = [rows.get(f"peer-echo-peer_{peer}-64-depth-1", {}).get("b", peer)
             for peer in SMALL_PEERS]
    lines = ["| server CPU of a request | Trireme | " + " | ".join(names) + " |",
             "|---|---|" + "---|" * len(names)]
    for title, pattern, dispatch in SMALL:
        wanted = [pattern.format(dispatch)]
        wanted += ["peer-" + pattern.format(f"peer_{peer}") for peer in SMALL_PEERS]
        found = [rows.get(name, {}).get("found") for name in wanted]
        cells = [f"{one['median']:.2f}" if one else "" for one in found]
        lines.append(f"| {title}, `{dispatch}` | " + " | ".join(cells) + " |")
    return lines


def misses(everything):
    """Goals that this run does not meet."""
    lines = ["| goal | wanted | found | verdict |", "|---|---|---|---|"]
    for goal in everything["goals"]:
        if goal["verdict"] != "met":
            sign = "<=" if goal["better"] == "lower" else ">="
            lines.append(f"| {goal['title']} | {sign} {goal['goal']:g} | {cell(goal['found'])} | "
                         f"{goal['verdict']} |")
    return lines


def check(everything):
    """The figures by row; refuses a run that is no ground for any."""
    rows = {row["id"]: row["found"] for row in everything["rows"]}
    if everything["quick"]:
        raise Refused("a quick run is no ground for a claim")
    if not stats.control_holds(rows.get("control")):
        raise Refused("the control does not hold")
    if not stats.control_holds(rows.get("control-two-cpus")):
        rows = {name: rows[name] for name in rows if not name.endswith("-two-cpus")}
    return rows


def section(everything, link):
    """For docs/performance.md."""
    rows = check(everything)
    facts = everything["facts"]
    met = [goal["verdict"] for goal in everything["goals"]]
    lines = [
        f"{facts['date']}, {facts['kernel']}. The floor against itself came out at",
        f"{rows['control']['median']:.3f}: differences smaller than that cannot be seen.", "",
        "## What a request costs", "", *table(rows), "",
        "## Beside others", "",
        "Each server is written as users of its library would write it "
        "([bench/peers](../bench/peers)).", "",
        *peers_table(everything), ""]
    for file in CHARTS:
        if (ROOT / "docs" / link / file).exists():
            lines.append(f"![{file.removesuffix('.svg')}]({link}/{file})")
    lines += ["", "## What it does not show, and what it misses", "",
              f"Of {len(met)} goals, {met.count('met')} are met and {met.count('missed')} are "
              'missed. The others have no verdict. "Not shown": the machine was busy, and the',
              'interval is too wide. "Void": the control of that row did not hold.', "",
              *misses(everything)]
    return "\n".join(lines)


def replace(path, made):
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")


def main(folder, root=ROOT):
    folder, root = pathlib.Path(folder).resolve(), pathlib.Path(root)
    everything = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    try:
        made = section(everything, f"../bench/results/{folder.name}")
    except Refused as error:
        print(f"figures.py: {error}", file=sys.stderr)
        return 1
    replace(root / "docs" / "performance.md", made)
    replace(root / "README.md", "\n".join(small_table(everything)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
