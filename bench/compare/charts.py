"""Which charts there are, and what they show."""

import goals
import svg


def bars_of(rows, records, label):
    """Bars of rows, best first; the floor's own 1.00 is the dashed line."""
    bars = []
    for row in rows:
        found = goals.measured(row, records)
        if found:
            ours = row.b.program == "trireme"
            bars.append((label(row), found["median"], found["low"], found["high"], ours))
    return sorted(bars, key=lambda bar: bar[1])


def name_of_b(row):
    return row.b.name.replace("trireme", "Trireme")


def cost_charts(rows, records):
    def shape(row, connections, depth):
        return row.id.endswith(f"-{connections}-depth-{depth}") and "echo-" in row.id

    for connections, depth in ((64, 1), (64, 16), (1000, 1), (9900, 1)):
        bars = bars_of([row for row in rows if shape(row, connections, depth)], records, name_of_b)
        title = f"Echo of 64 bytes, {connections:,} connections, {depth} in flight each"
        yield (f"echo-{connections}-depth-{depth}", title, bars)
    for where, words in (("", "one CPU"), ("-two-cpus", "two CPUs")):
        wanted = [row for row in rows if row.id.endswith(f"-depth-1{where}") and row.pools[1] > 0
                  and row.group in ("lines", "peers")]
        bars = bars_of(wanted, records, name_of_b)
        yield f"hand-off{where}", f"Every request handed to a pool of 16 threads, {words}", bars


def rate_bars(rows, records):
    bars = []
    for row in rows:
        if row.group != "offload" or "workers-16" not in row.id:
            continue
        found = goals.figure_of(records, row.id, "a", "requests_per_second")
        ours = goals.figure_of(records, row.id, "b", "requests_per_second")
        if found and ours:
            # What this peer had beside ours in the same minutes.
            bars.append((row.a.name, found["median"] / ours["median"], None, None, False))
    if bars:
        bars.append(("Trireme workers", 1.0, None, None, True))
    return sorted(bars, key=lambda bar: -bar[1])


def memory_bars(rows, records):
    bars = []
    for row in rows:
        found = goals.measured(row, records) if row.kind == "memory" else None
        if found and found["median"] > 0:
            name = row.title.split("|")[0].replace("trireme", "Trireme")
            bars.append((name, found["median"], None, None, row.b.program == "trireme"))
    return sorted(bars, key=lambda bar: bar[1])


def idle_series(rows, records):
    series = {}
    for row in rows:
        found = goals.measured(row, records) if row.group == "idle-chart" else None
        if found:
            name, count = row.title.split("|")
            series.setdefault(name, []).append((int(count), found["median"]))
    return {name: sorted(points) for name, points in series.items() if len(points) > 1}


def draw_all(rows, records, date):
    """[(name, file name, svg)] of every chart for which there is something to show."""
    cost = f"server CPU per request over that of the epoll floor (dashed); less is better; {date}"
    drawn = []
    for file, title, bars in cost_charts(rows, records):
        if len(bars) > 1:
            drawn.append((title, f"{file}.svg",
                          svg.bar_chart(title, cost, "ratio", bars, reference=1.0)))
    bars = rate_bars(rows, records)
    if bars:
        title = "1 % of the requests block 20 ms, 200 connections, 16 threads"
        note = f"requests per second over Trireme's in the same minutes; more is better; {date}"
        drawn.append((title, "blocking.svg", svg.bar_chart(title, note, "ratio", bars)))
    bars = memory_bars(rows, records)
    if bars:
        title = "Memory of an idle connection"
        note = f"resident bytes, of 10,000 connections (a process each: 1,000); {date}"
        drawn.append((title, "memory.svg", svg.bar_chart(title, note, "bytes", bars, log=True)))
    series = idle_series(rows, records)
    if series:
        title = "What idle connections cost"
        note = f"100 connections at work; server CPU over the floor's with none idle; {date}"
        drawn.append((title, "idle.svg", svg.line_chart(
            title, note, "idle connections", "ratio, logarithmic", series, log_y=True)))
    return drawn
