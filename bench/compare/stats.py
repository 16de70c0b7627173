"""Medians of runs, their bootstrap intervals, verdicts. Pure functions."""

import functools
import math
import random

RESAMPLES = 2000
ALLOWED = 0.02  # above a goal: what two processes of one binary may differ by
CONTROL = (0.98, 1.02)
CONTROL_LATENCY = (0.9, 1.1)
VALUES_MIN = 5  # under which an interval says nothing


def quadruples(slices):
    """Slices in the order A B B A -> lists of four; an unfinished quadruple is left out."""
    whole = len(slices) // 4 * 4
    fours = [slices[i:i + 4] for i in range(0, whole, 4)]
    return [four for four in fours if [one["side"] for one in four] == list("ABBA")]


def cost_ratios(slices):
    """For each quadruple: (server CPU over load CPU) of B over that of A."""
    ratios = []
    for four in quadruples(slices):
        costs = [one["server_cpu_ns"] / one["load_cpu_ns"] if one["load_cpu_ns"] else 0
                 for one in four]
        if costs[0] + costs[3] > 0 and costs[1] + costs[2] > 0:
            ratios.append((costs[1] + costs[2]) / (costs[0] + costs[3]))
    return ratios


def geometric_ratios(slices, figure):
    """For each quadruple: the geometric mean of what `figure` says of B over that of A."""
    ratios = []
    for four in quadruples(slices):
        values = [figure(one) for one in four]
        if min(values) > 0:
            ratios.append(math.sqrt(values[1] * values[2] / (values[0] * values[3])))
    return ratios


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def middle_of_runs(runs):
    """The median of the runs' medians."""
    return median([median(run) for run in runs])


@functools.lru_cache(maxsize=None)
def interval(runs, seed=1):
    """Where middle_of_runs lies in 95 % of resamples: runs are drawn, then the values of each.

    `runs` is a tuple of tuples, none of them empty.
    """
    dice = random.Random(seed)
    middles = []
    for _ in range(RESAMPLES):
        drawn = [dice.choice(runs) for _ in runs]
        middles.append(middle_of_runs([dice.choices(run, k=len(run)) for run in drawn]))
    middles.sort()
    return middles[RESAMPLES * 25 // 1000], middles[RESAMPLES * 975 // 1000 - 1]


def summary(runs):
    """{median, low, high, runs, values} of several runs of values; None if there is no value."""
    runs = tuple(tuple(run) for run in runs if run)
    if not runs:
        return None
    low, high = interval(runs)
    return {"median": middle_of_runs(runs), "low": low, "high": high, "runs": len(runs),
            "values": sum(map(len, runs))}


def quotient(above, below):
    """Summary of a ratio of two independent summaries: their relative errors add as squares."""
    if above is None or below is None:
        return None
    median = above["median"] / below["median"]
    up = math.hypot(above["high"] / above["median"] - 1, below["median"] / below["low"] - 1)
    down = math.hypot(1 - above["low"] / above["median"], 1 - below["median"] / below["high"])
    return {"median": median, "low": median * (1 - down), "high": median * (1 + up),
            "runs": min(above["runs"], below["runs"]),
            "values": min(above["values"], below["values"])}


def verdict(goal, better, found, allowed=ALLOWED):
    """`better` is `lower` or `higher`. A goal is met when even the worse bound is allowed."""
    if found is None:
        return "not measured"
    if found["values"] < VALUES_MIN:
        return "too few runs"
    sign = 1 if better == "lower" else -1
    worse = found["high"] if better == "lower" else found["low"]
    best = found["low"] if better == "lower" else found["high"]
    limit = goal + sign * allowed
    if (worse - limit) * sign <= 0:
        return "met"
    if (best - limit) * sign > 0:
        return "missed"
    return "not shown"


def control_holds(found, limits=CONTROL):
    return found is not None and limits[0] <= found["median"] <= limits[1]
