"""The page of results, as Markdown."""

import goals as goals_module
import svg

GROUPS = {
    "echo": "Echo of 64 bytes",
    "lines": "`delay` with nothing to wait for",
    "offload": "1 % of the requests block 20 ms, 200 connections",
    "churn": "Connect, one request, close",
    "stream": "Messages of 64 KiB",
    "latency": "Latency",
    "idle": "Idle connections",
    "peers": "The peers, and baselines",
}
KINDS = {"cost": "server CPU over load CPU", "rate": "requests/s", "p99": "99th percentile"}


def short(value):
    return "-" if value is None else svg.figure(value)


def ratio(value):
    return f"{value:.3f}" if value < 10 else svg.figure(value)


def spread(found):
    if found is None:
        return "not measured", "-"
    return f"**{ratio(found['median'])}**", f"{ratio(found['low'])}-{ratio(found['high'])}"


def goals_table(listed):
    lines = ["| scenario | goal | median | worse bound | runs | verdict |",
             "|---|---|---|---|---|---|"]
    for entry in listed:
        found = entry["found"]
        sign = "<=" if entry["better"] == "lower" else ">="
        bound = "-"
        if found:
            bound = ratio(found["high"] if entry["better"] == "lower" else found["low"])
        runs = found["runs"] if found else 0
        lines.append(f"| {entry['title']} | {sign} {entry['goal']:g} | {spread(found)[0]} "
                     f"| {bound} | {runs} | {entry['verdict']} |")
    return lines


def mean_figure(records, side, name):
    values = [record["figures"][side][name] for record in records
              if name in record.get("figures", {}).get(side, {})]
    return sum(values) / len(values) if values else None


def group_table(rows, records):
    lines = ["| what | ratio | 95 % | of | requests/s A | B | CPU us A | B | switches A | B "
             "| failed |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        own = records.get(row.id, [])
        if not own:
            continue
        cells = [row.title, *spread(goals_module.measured(row, records)), KINDS[row.kind]]
        for name in ("requests_per_second", "server_cpu_us", "context_switches"):
            cells += [short(mean_figure(own, side, name)) for side in "ab"]
        failed = sum("error" in record for record in own)
        cells.append(f"{failed} of {len(own)}" if failed else "")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def latency_table(rows, records):
    lines = ["| what | p99 ms A | B | p99 of the blocking, ms A | B |", "|---|---|---|---|---|"]
    for row in rows:
        own = records.get(row.id, [])
        if not row.latency() or not own:
            continue
        cells = [row.title]
        for name in ("p99_us", "blocking_p99_us"):
            values = [mean_figure(own, side, name) for side in "ab"]
            cells += [short(value / 1000 if value else None) for value in values]
        lines.append("| " + " | ".join(cells) + " |")
    return lines if len(lines) > 2 else []


def memory_table(rows, records):
    lines = ["| server | connections | bytes each |", "|---|---|---|"]
    for row in rows:
        found = goals_module.measured(row, records)
        if row.kind == "memory" and records.get(row.id):
            name, count = row.title.split("|")
            lines.append(f"| {name} | {int(count):,} | {short(found and found['median'])} |")
    return lines if len(lines) > 2 else []


def control_sentences(records):
    sentences = []
    for row_id, (what, limits, void) in goals_module.CONTROLS.items():
        found = goals_module.stats.summary([record["values"] for record in records.get(row_id, [])
                                            if "values" in record])
        if found is None:
            sentences.append(f"**No control ({what}) was measured: {void} cannot be judged.**")
            continue
        text = f"{found['median']:.3f} ({found['low']:.3f}-{found['high']:.3f})"
        bounds = f"{limits[0]}-{limits[1]}"
        if goals_module.stats.control_holds(found, limits):
            sentences.append(f"The floor against itself, {what}: {text}, within {bounds}.")
        else:
            sentences.append(f"**VOID: the floor against itself, {what}, came out at {text}, "
                             f"outside {bounds}. The machine was too busy: no such figure on "
                             f"{void} means anything.**")
    return [f"- {sentence}" for sentence in sentences]


def page(title, facts, rows, records, skipped, charts, quick):
    listed = goals_module.table(records, rows)
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "Cost is server CPU over load CPU in the same slices; a ratio is B's figure over",
              "A's, measured in alternating slices A B B A (`bench/README.md`). CPU in us a",
              "request."]
    if quick:
        lines += ["", "**A quick look: one short run a row. No ground for a claim.**"]
    lines += ["", *control_sentences(records)]
    if listed:
        lines += ["", "## Goals", "",
                  "Met: the worse 95 % bound is within the goal and 0.02. Missed: the better one",
                  "is outside. Else the runs do not show it.", "", *goals_table(listed)]
    lines += ["", "What this machine cannot show:", ""]
    lines += [f"- {sentence}" for sentence in goals_module.NOT_SHOWN_HERE]
    for name, file in charts:
        lines += ["", f"![{name}]({file})"]
    for group, heading in GROUPS.items():
        own = [row for row in rows if row.group == group and records.get(row.id)]
        if own:
            lines += ["", f"## {heading}", "", *group_table(own, records)]
            more = latency_table(own, records)
            lines += ["", *more] if more else []
    memory = memory_table(rows, records)
    lines += ["", "## Memory of an idle connection", "", *memory] if memory else []
    failed = [record for own in records.values() for record in own if "error" in record]
    if failed:
        lines += ["", "## Failed runs", ""]
        lines += [f"- `{one['row']}`, round {one['round']}: {one['error']}" for one in failed]
    if skipped:
        lines += ["", "## Left out", "", *[f"- {sentence}" for sentence in skipped]]
    return "\n".join(lines) + "\n", listed
