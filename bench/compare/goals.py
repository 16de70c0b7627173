"""The goals: what is claimed, what was measured, whether it holds."""

import plan
import stats

BLOCK_ROW = "block-workers-16-over-floor_offload"
CEILING = 16 / plan.BLOCK_SECONDS  # requests/s that 16 threads can answer when 1 % block 20 ms

# Row -> what it is, its limits, what is void when it is outside.
CONTROLS = {
    "control": ("pinned", stats.CONTROL, "this page"),
    "control-two-cpus": ("nothing pinned", stats.CONTROL, "every row with two CPUs"),
    "control-stream": ("messages of 64 KiB", stats.CONTROL, "the rows of such messages"),
    "control-p99": ("p99 at a fixed rate", stats.CONTROL_LATENCY, "the row of that rate"),
}
CONTROLS_OF = {"cost": ("control", "control-two-cpus"), "p99": ("control-p99",)}

NOT_SHOWN_HERE = [
    "More than one I/O worker: with two CPUs the load takes one.",
    "100,000 connections and more: a process has 20,000 descriptors.",
    "A network: loopback has no interrupts and no loss, and delivers within the sender's call.",
    "Work that nobody is charged for: io_uring's batches move some of it into the kernel's own "
    "threads and look up to 5 % better than they are.",
    "Latency under full load: with a closed loop of many connections it is queueing.",
    "What a client that sleeps gains by a server that polls: the load of those rows never sleeps.",
]


def measured(row, records):
    """Summary of a row over its good runs, or None."""
    return stats.summary([record["values"] for record in records.get(row.id, [])
                          if "values" in record])


def figure_of(records, row_id, side, name):
    """Summary of one figure of one side, a value a run, or None."""
    values = [record["figures"][side][name] for record in records.get(row_id, [])
              if name in record.get("figures", {}).get(side, {})]
    return stats.summary([[value] for value in values])


def scaled(found, factor):
    if found is None:
        return None
    return found | {name: found[name] * factor for name in ("median", "low", "high")}


def derived(records, rows):
    """(title, goal, summary, the row it comes from) of what is more than one row's ratio."""
    ids = {row.id: row for row in rows}
    # Of saturation: with 16 in flight on any host, at depth 1 where the floor does not sleep.
    for where, name in (("", "pinned"), ("-two-cpus", "two CPUs")):
        for depth, deep in ((1, ""), (16, ", depth 16")):
            row_id = f"delay-workers-depth-{depth}{where}"
            if row_id in ids:
                yield (f"switches a request, workers, {name}{deep}", plan.Goal(0.25),
                       figure_of(records, row_id, "b", "context_switches"), ids[row_id])
    if BLOCK_ROW in ids:
        row = ids[BLOCK_ROW]
        yield (f"1 % blocks 20 ms, workers: share of the {CEILING:,.0f} requests/s of 16 threads",
               plan.Goal(0.75, "higher"),
               scaled(figure_of(records, row.id, "b", "requests_per_second"), 1 / CEILING), row)
        yield ("1 % blocks 20 ms, workers: p99 of the others, ms", plan.Goal(10, "lower", 0.2),
               scaled(figure_of(records, row.id, "b", "p99_us"), 1 / 1000), row)
        yield ("1 % blocks 20 ms, workers: p99 of those, ms", plan.Goal(34, "lower", 0.7),
               scaled(figure_of(records, row.id, "b", "blocking_p99_us"), 1 / 1000), row)
    ours, floor = ids.get("idle-change-trireme"), ids.get("idle-change-floor_epoll")
    if ours and floor:
        yield (f"{plan.IDLE_MAX:,} idle: change over the floor's change", plan.Goal(1.03),
               stats.quotient(measured(ours, records), measured(floor, records)), ours)


def title_of(row):
    if row.kind != "memory":
        return row.title
    name, count = row.title.split("|")
    return f"{name}: bytes of one of {int(count):,} idle connections"


def table(records, rows):
    """A list of {title, goal, better, found, verdict, row}."""
    goals = [(title_of(row), row.goal, measured(row, records), row) for row in rows if row.goal]
    goals += derived(records, rows)
    listed = []
    for title, goal, found, row in goals:
        verdict = stats.verdict(goal.value, goal.better, found, goal.allowed)
        if row.kind in CONTROLS_OF and control_verdict(records, control_of(row)) is False:
            verdict = "void"
        listed.append({"title": title, "goal": goal.value, "better": goal.better, "found": found,
                       "allowed": goal.allowed, "verdict": verdict, "row": row.id})
    return listed


def control_of(row):
    if row.group == "stream":
        return "control-stream"
    return CONTROLS_OF[row.kind][0 if row.pinned else -1]


def control_verdict(records, row_id):
    """True, False, or None: not measured."""
    runs = [record["values"] for record in records.get(row_id, []) if "values" in record]
    return stats.control_holds(stats.summary(runs), CONTROLS[row_id][1]) if runs else None
