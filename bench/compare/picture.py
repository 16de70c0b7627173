#!/usr/bin/env python3
"""Draws docs/blocking.svg: picture.py

A handler that blocks, beside other clients and beside other servers. The figures are those of
docs/performance.md (its table of `./dev bench blocking`) and of the page that the tree keeps.
"""

import json
import pathlib
import re
import sys

import svg

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS, OTHERS, BAD = svg.COLOURS[0], "#9aa5b1", svg.COLOURS[1]
NAMES = {"inline": "event loop, nothing handed off", "adaptive": "Trireme adaptive",
         "workers": "Trireme workers"}
PEERS = (("hand-written pool", "floor_offload"), ("Asio", "peer_asio"), ("Go", "peer_go"),
         ("Netty", "peer_netty"))
STEP, LEFT = 26, 240


def of_page(text):
    """Policy -> (requests/s, p99 in ms of the others), of the table of docs/performance.md."""
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([\d,]+) \| ([\d.]+) ms \|", text, re.M)
    return {name: (float(rate.replace(",", "")), float(p99)) for name, rate, p99 in rows}


def of_results(everything):
    """(name, requests/s over those of `adaptive` in the same minutes), ours first."""
    found = {row["id"]: row["found"] for row in everything["rows"]}
    bars = [("Trireme adaptive", 1.0)]
    for name, program in PEERS:
        bars.append((name, 1 / found[f"block-adaptive-32-over-{program}"]["median"]))
    return bars


def panel(top, title, bars):
    """`bars`: (label, value, shown, colour)."""
    parts = [svg.text(20, top, title, 14, extra='font-weight="bold"')]
    scale = svg.Scale(0, max(bar[1] for bar in bars), LEFT, svg.WIDTH - 110)
    for i, (label, value, shown, colour) in enumerate(bars):
        y = top + 12 + STEP * i
        end = max(scale(value), LEFT + 1)
        parts.append(svg.text(LEFT - 8, y + 15, label, 13, "end"))
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{end - LEFT:.1f}" height="{STEP - 9}" '
                     f'fill="{colour}"/>')
        parts.append(svg.text(end + 6, y + 16, shown, 12))
    return top + 12 + STEP * len(bars) + 30, parts


def draw(page, everything):
    policies = of_page(page)
    order = [(NAMES[name], *policies[name], BAD if name == "inline" else OURS)
             for name in ("inline", "adaptive", "workers")]
    top, first = panel(86, "How long the 99 others wait (99th percentile, ms): less is better",
                       [(label, p99, f"{p99:g} ms", colour) for label, _, p99, colour in order])
    top, second = panel(top, "Requests per second of that server: more is better",
                        [(label, rate, f"{rate:,.0f}", colour)
                         for label, rate, _, colour in order])
    top, third = panel(top, "Requests per second beside others, 32 threads each: more is better",
                       [(label, value, f"{value:.2f}", OURS if label.startswith("T") else OTHERS)
                        for label, value in of_results(everything)])
    return svg.page(top, "One request in a hundred sleeps for 20 ms",
                    "200 connections, one CPU for the server; docs/performance.md",
                    first + second + third)


def main():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    (results,) = (ROOT / "bench" / "results").glob("*/results.json")
    everything = json.loads(results.read_text(encoding="utf-8"))
    (ROOT / "docs" / "blocking.svg").write_text(draw(page, everything), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
