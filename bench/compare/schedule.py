"""In which order the rows run, how often, and for how long each."""

import collections
import statistics
import sys
import time

MINUTES, MINUTES_QUICK = 29.0, 4.7
ROUNDS, ROUNDS_QUICK = 5, 1
SECONDS_MIN, SECONDS_MAX = 0.8, 8.0  # of slices a run
TIME_OVER, INTERRUPTED = "the time was over", "interrupted"


def jobs_of(rows, rounds):
    """(row, round), so that after the first round everything has been seen once."""
    jobs = [(row, 1) for row in rows]
    for number in range(2, rounds + 1):
        jobs += [(row, number) for row in rows if row.claim]
    return jobs


def seconds_for(jobs, left):
    """How long the slices of the first job may last so that all jobs fit into what is left."""
    fixed = sum(row.overhead for row, _ in jobs)
    stretch = sum(row.weight * row.stretch for row, _ in jobs)
    each = (left - fixed) / stretch if stretch else SECONDS_MAX
    return min(max(each * jobs[0][0].weight, SECONDS_MIN), SECONDS_MAX)


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


def run_jobs(jobs, run_one, deadline, clock=time.monotonic, say=tell, wait=lambda: 0.0):
    """(row id -> records, how many runs were left, why: empty if none was). `wait` before each run
    returns the seconds that it took: they are not counted. KeyboardInterrupt ends it; the run that
    it broke off is one of those left.
    """
    records = collections.defaultdict(list)
    for i, (row, number) in enumerate(jobs):
        try:
            deadline += wait()
            left = deadline - clock()
            if left < row.overhead + SECONDS_MIN * row.stretch:
                return records, len(jobs) - i, TIME_OVER
            record = run_one(row, number, seconds_for(jobs[i:], left))
        except KeyboardInterrupt:
            return records, len(jobs) - i, INTERRUPTED
        records[row.id].append(record)
        said = record.get("error") or f"{statistics.median(record['values']):.3f}"
        say(f"{i + 1}/{len(jobs)} round {number} {row.id}: {said}")
    return records, 0, ""
