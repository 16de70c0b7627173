#!/usr/bin/env python3
"""What bench/compare concludes from what it is told.

Goal: no chart, interval or verdict of `./dev bench` is wrong by arithmetic, and check.py refuses
servers that are wrong.
Method: invented runs with known answers; servers that err in one way each. Nothing is measured.
"""

import json
import pathlib
import random
import socket
import sys
import tempfile
import threading
import unittest
import xml.dom.minidom

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "compare"))
import alone  # noqa: E402
import charts  # noqa: E402
import check  # noqa: E402
import figures  # noqa: E402
import goals  # noqa: E402
import keep  # noqa: E402
import machine  # noqa: E402
import picture  # noqa: E402
import plan  # noqa: E402
import quiet  # noqa: E402
import runner  # noqa: E402
import schedule  # noqa: E402
import servers  # noqa: E402
import stats  # noqa: E402
import svg  # noqa: E402
import tables  # noqa: E402

ALL_DRIVERS = {name: name for name in servers.DRIVER_NAMES}


def piece(side, server=10, load=10, requests=100, **more):
    return {"side": side, "server_cpu_ns": server, "load_cpu_ns": load, "requests": requests,
            "seconds": 0.1, "context_switches": 0} | more


def abba(a, b):
    return [piece("A", a), piece("B", b), piece("B", b), piece("A", a)]


def found(median, low, high, values=50):
    return {"median": median, "low": low, "high": high, "runs": 5, "values": values}


class StatisticsTest(unittest.TestCase):
    def test_a_ratio_is_of_costs_and_drops_what_is_unfinished(self):
        slices = abba(10, 12) + abba(20, 30) + abba(1, 9)[:3]
        self.assertEqual([round(one, 9) for one in stats.cost_ratios(slices)], [1.2, 1.5])
        # The load's CPU is the yardstick: twice of both is the same cost.
        slow = [piece("A", 20, 20), piece("B", 24, 20), piece("B", 24, 20), piece("A", 20, 20)]
        self.assertAlmostEqual(stats.cost_ratios(slow)[0], 1.2)

    def test_a_client_that_pays_for_waking_the_other_is_no_yardstick(self):
        slices = [piece("A", 10, 14, context_switches=30), piece("B", 10, 10),
                  piece("B", 10, 10), piece("A", 10, 14, context_switches=30)]
        self.assertAlmostEqual(stats.cost_ratios(slices)[0], 1.4)
        self.assertAlmostEqual(stats.geometric_ratios(slices, alone.server_cpu)[0], 1.0)
        self.assertEqual([runner.sums_of(slices)[side]["context_switches"] for side in "ab"],
                         [0.3, 0])

    def test_usage_is_of_the_requests_that_were_answered_meanwhile(self):
        slices = [piece("A", 3000, requests=100, usage_requests=150, context_switches=30)] * 2
        means = runner.sums_of(slices)["a"]
        self.assertAlmostEqual(means["server_cpu_us"], 0.02)
        self.assertAlmostEqual(means["context_switches"], 0.2)
        self.assertAlmostEqual(means["requests_per_second"], 1000)
        self.assertAlmostEqual(alone.server_cpu(slices[0]), 20)  # ns

    def test_slices_out_of_order_are_no_quadruple(self):
        self.assertEqual(stats.cost_ratios([piece("A"), piece("A"), piece("B"), piece("B")]), [])

    def test_drift_in_a_straight_line_cancels(self):
        drifting = [piece("A", 10), piece("B", 11), piece("B", 12), piece("A", 13)]
        self.assertAlmostEqual(stats.cost_ratios(drifting)[0], 1.0)

    def test_geometric_ratio(self):
        rates = [piece("A", requests=100), piece("B", requests=200), piece("B", requests=800),
                 piece("A", requests=400)]
        self.assertAlmostEqual(stats.geometric_ratios(rates, runner.rate)[0], 2.0)

    def test_interval_holds_the_median_and_repeats(self):
        dice = random.Random(4)
        runs = [[dice.gauss(1.1, 0.03) for _ in range(40)] for _ in range(5)]
        one = stats.summary(runs)
        self.assertEqual(one, stats.summary(runs))
        self.assertLess(one["low"], 1.1)
        self.assertGreater(one["high"], 1.1)
        self.assertLess(one["high"] - one["low"], 0.06)
        self.assertEqual((one["runs"], one["values"]), (5, 200))

    def test_runs_that_differ_widen_the_interval(self):
        """Values that agree within a run do not hide that runs disagree."""
        alike = stats.summary([[1.0] * 40] * 5)
        apart = stats.summary([[mean] * 40 for mean in (0.9, 0.95, 1.0, 1.05, 1.1)])
        self.assertEqual((alike["low"], alike["high"]), (1.0, 1.0))
        self.assertLessEqual(apart["low"], 0.95)
        self.assertGreaterEqual(apart["high"], 1.05)

    def test_nothing_measured(self):
        self.assertIsNone(stats.summary([]))
        self.assertIsNone(stats.summary([[]]))
        self.assertIsNone(stats.quotient(None, found(1, 1, 1)))

    def test_quotient(self):
        one = stats.quotient(found(1.2, 1.14, 1.26), found(1.0, 0.95, 1.05))
        self.assertAlmostEqual(one["median"], 1.2)
        self.assertTrue(one["low"] < 1.14 and one["high"] > 1.26)

    def test_verdicts(self):
        for goal, better, low, high, wanted in [
                (1.03, "lower", 1.00, 1.05, "met"), (1.03, "lower", 1.00, 1.06, "not shown"),
                (1.03, "lower", 1.06, 1.09, "missed"), (1.3, "higher", 1.28, 1.5, "met"),
                (1.3, "higher", 1.2, 1.5, "not shown"), (1.3, "higher", 1.1, 1.2, "missed")]:
            with self.subTest(goal=goal, low=low, high=high):
                self.assertEqual(stats.verdict(goal, better, found((low + high) / 2, low, high)),
                                 wanted)
        self.assertEqual(stats.verdict(1, "lower", found(0.9, 0.9, 0.9, 4)), "too few runs")
        self.assertEqual(stats.verdict(1, "lower", None), "not measured")


class QuietTest(unittest.TestCase):
    """The machine needs so much for a request of the floor, one look after the other."""

    def waiting(self, looks, patience, at_rest=None):
        self.now = 0.0
        looks = iter(looks)

        def look():
            self.now += 1
            return next(looks)

        def pause(seconds):
            self.now += seconds

        return quiet.Quiet(look, patience, at_rest, lambda: self.now, pause)

    def test_it_waits_until_the_floor_costs_what_it_did(self):
        waiting = self.waiting([8.0, 12.0, 11.0, 8.5], 100)
        self.assertEqual(waiting.wait(), 1)  # the first look is all that is known
        self.assertEqual(waiting.wait(), 0)  # just looked
        self.now += quiet.LOOK_EVERY
        self.assertEqual(waiting.wait(), 3 + 2 * quiet.PAUSE)
        self.assertIn("2 of 4 looks", waiting.sentence())

    def test_it_may_be_told_what_rest_is(self):
        waiting = self.waiting([12.0, 11.0, 9.0, 5.0, 9.0], 100, at_rest=8.0)
        self.assertEqual(waiting.wait(), 3 + 2 * quiet.PAUSE)
        for _ in range(2):  # a look that is cheaper than rest does not change what rest is
            self.now += quiet.LOOK_EVERY
            self.assertEqual(waiting.wait(), 1)
        self.assertIn("2 of 5 looks found the floor over 1.25 of its cost at rest, 8 us",
                      waiting.sentence())

    def test_its_patience_ends(self):
        waiting = self.waiting([8.0, 12.0, 12.0, 12.0], 2 * (quiet.PAUSE + 1))
        waiting.wait()
        self.now += quiet.LOOK_EVERY
        self.assertEqual(waiting.wait(), 2 * (quiet.PAUSE + 1))
        self.assertEqual(waiting.wait(), 0)
        self.assertEqual(len(waiting.looks), 3)

    def test_without_patience_nobody_looks(self):
        self.assertEqual(self.waiting([], 0).wait(), 0)

    def test_what_was_waited_is_not_taken_from_the_runs(self):
        rows = plan.all_rows({}, None)[:2]
        now = [0.0]

        def wait():
            now[0] += 1000
            return 1000

        def run_one(row, number, _):
            return {"row": row.id, "round": number, "error": "broken"}

        _, late, _ = schedule.run_jobs(schedule.jobs_of(rows, 1), run_one, 60, lambda: now[0],
                                       say=lambda *_: None, wait=wait)
        self.assertEqual(late, 0)


class MachineTest(unittest.TestCase):
    def test_gaps_are_told_of_each_cpu(self):
        said = "\n".join(json.dumps({"cpu": cpu, "per_second": 1416.0, "share": 0.0719,
                                     "p50_us": 46.1, "p99_us": 141.3, "max_us": 3519.2})
                         for cpu in (0, 1))
        told = "{} 1,416 times/s, 7.2 % of the time, median 46 us, 99th 141 us".format
        self.assertEqual(machine.gaps_sentence(said), f"{told('CPU 0')}; {told('CPU 1')}")
        self.assertEqual(machine.gaps_sentence(""), "")


class PlanTest(unittest.TestCase):
    def test_every_goal_is_a_claim_and_controls_come_first(self):
        rows = plan.all_rows(ALL_DRIVERS, "reno")
        self.assertEqual([row.group for row in rows[:4]], ["control"] * 3 + ["echo"])
        self.assertEqual([row.id for row in rows if row.goal and not row.claim], [])

    def test_the_time_is_enough(self):
        for rows, rounds, minutes in [
                (plan.all_rows(ALL_DRIVERS, "reno"), schedule.ROUNDS, schedule.MINUTES),
                ([row for row in plan.all_rows(ALL_DRIVERS, "reno") if row.quick], 1,
                 schedule.MINUTES_QUICK)]:
            jobs = schedule.jobs_of(rows, rounds)
            left = minutes * 60 - 45
            self.assertGreater(schedule.seconds_for(jobs, left), schedule.SECONDS_MIN)

    def test_first_everything_once_then_claims_again(self):
        rows = plan.all_rows({}, None)
        jobs = schedule.jobs_of(rows, 2)
        self.assertEqual([row for row, _ in jobs[:len(rows)]], rows)
        self.assertTrue(all(row.claim and number == 2 for row, number in jobs[len(rows):]))

    def test_time_that_is_over_stops_and_is_counted(self):
        rows = plan.all_rows({}, None)[:5]
        now = [0.0]

        def run_one(row, number, _):
            now[0] += 30
            return {"row": row.id, "round": number, "error": "broken"}

        records, *told = schedule.run_jobs(schedule.jobs_of(rows, 1), run_one, 70, lambda: now[0],
                                           say=lambda *_: None)
        self.assertEqual((len(records), told), (3, [2, schedule.TIME_OVER]))

    def test_an_interrupt_keeps_what_was_run(self):
        rows = plan.all_rows({}, None)[:5]

        def interrupt(*_):
            raise KeyboardInterrupt

        def run_one(row, number, _):
            return {"row": row.id, "round": number, "error": "broken"} if row is rows[0] \
                else interrupt()

        for wait, kept in [(lambda: 0, [rows[0].id]), (interrupt, [])]:
            records, *told = schedule.run_jobs(schedule.jobs_of(rows, 1), run_one, 600, lambda: 0,
                                               say=lambda *_: None, wait=wait)
            self.assertEqual((list(records), told),
                             (kept, [5 - len(kept), schedule.INTERRUPTED]))

    def test_drivers_are_found_by_the_help_text(self):
        text = "  --dispatch POLICY  inline, poll\n  --driver DRIVER=epoll  waits: epoll, {}\n  --x"
        self.assertEqual(servers.drivers_of(text.format("epoll-et")), {"epoll-et": "epoll-et"})
        self.assertEqual(servers.drivers_of(text.format("io-uring,\n     select")),
                         {"io_uring": "io-uring", "select": "select"})
        self.assertEqual(servers.drivers_of("no such option"), {})


class PageTest(unittest.TestCase):
    def setUp(self):
        self.rows = plan.all_rows({}, "reno")
        self.records = {row.id: [{"row": row.id, "round": 1, "values": [1.01] * 9,
                                  "figures": {"a": {"requests_per_second": 5.0},
                                              "b": {"requests_per_second": 6.0}}}]
                        for row in self.rows}

    def page(self):
        return tables.page("Title", {"date": "today"}, self.rows, self.records, ["<nothing>"], [],
                           False)

    def verdict_of(self, row_id):
        return {entry["row"]: entry["verdict"] for entry in self.page()[1]}[row_id]

    def test_a_good_page(self):
        text, _ = self.page()
        self.assertIn("1.010 (1.010-1.010), within 0.98-1.02", text)
        self.assertIn("- <nothing>", text)
        self.assertNotIn("VOID", text)
        self.assertEqual(self.verdict_of("echo-inline-64-depth-1"), "met")

    def test_a_control_that_does_not_hold_voids_what_it_controls(self):
        self.records["control"][0]["values"] = [1.03] * 9
        self.assertIn("**VOID", self.page()[0])
        self.assertEqual(self.verdict_of("echo-inline-64-depth-1"), "void")
        self.assertEqual(self.verdict_of("delay-inline-depth-1-two-cpus"), "met")
        self.records["control-p99"][0]["values"] = [0.8] * 9
        self.assertEqual(self.verdict_of("rate-20000-p99"), "void")
        self.assertEqual(self.verdict_of("stream"), "met")
        self.records["control-stream"][0]["values"] = [0.9] * 9
        self.assertEqual(self.verdict_of("stream"), "void")

    def test_failed_runs_are_told(self):
        self.records["churn"] = [{"row": "churn", "round": 1, "error": "3 wrong bytes"}]
        text, _ = self.page()
        self.assertIn("`churn`, round 1: 3 wrong bytes", text)
        self.assertIn("| 1 of 1 |", text)
        self.assertEqual(self.verdict_of("churn"), "not measured")

    def test_charts_are_drawings(self):
        drawn = charts.draw_all(self.rows, self.records, "today")
        self.assertGreaterEqual(len(drawn), 7)
        for _, name, picture in drawn:
            with self.subTest(name=name):
                xml.dom.minidom.parseString(picture)

    def test_the_json_of_a_timer_is_found_beside_its_words(self):
        self.assertEqual(runner.json_part('ratio 1.0\n{\n "a": {}\n}\nb 2\n'), '{\n "a": {}\n}\n')
        with self.assertRaises(runner.RunFailed):
            runner.json_part("ratio 1.0\n")

    def test_switches_are_told_of_each_depth(self):
        rows = {row.id: row for row in plan.all_rows(ALL_DRIVERS, "cubic")}
        chosen = [rows["delay-workers-depth-1"], rows["delay-workers-depth-16-two-cpus"]]
        records = {row.id: [{"figures": {"b": {"context_switches": 0.1 + i}}} for _ in range(5)]
                   for i, row in enumerate(chosen)}
        told = {title: summary["median"] for title, _, summary, _ in goals.derived(records, chosen)}
        self.assertEqual(told, {"switches a request, workers, pinned": 0.1,
                                "switches a request, workers, two CPUs, depth 16": 1.1})

    def test_shares_of_the_ceiling(self):
        self.assertAlmostEqual(goals.CEILING, 80_000)


class FiguresTest(unittest.TestCase):
    def write(self, quick, control):
        """Status of figures.py, and docs/performance.md after it."""
        row = {"id": "control", "b": "floor epoll", "service": "echo", "pools": [0, 0],
               "kind": "cost", "found": found(control, control, control)}
        ours = row | {"id": "echo-inline-64-depth-1", "b": "trireme inline",
                      "found": found(1.04, 1.03, 1.05)}
        everything = {"quick": quick, "facts": {"date": "today", "kernel": "Linux"}, "goals": [],
                      "rows": [row, ours]}
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "docs", "performance.md")
            page.parent.mkdir()
            for path in (page, pathlib.Path(folder, "README.md")):
                path.write_text(f"a\n{figures.BEGIN}\nstale\n{figures.END}\nz\n",
                                encoding="utf-8")
            pathlib.Path(folder, "results.json").write_text(json.dumps(everything),
                                                            encoding="utf-8")
            return figures.main(folder, folder), page.read_text(encoding="utf-8")

    def test_figures_replace_figures(self):
        status, text = self.write(False, 1.0)
        self.assertEqual(status, 0)
        self.assertIn("| echo of 64 bytes, one in flight | 1.04 (1.03-1.05) |", text)
        self.assertTrue(text.startswith("a\n<!--") and text.endswith("-->\nz\n"))
        self.assertNotIn("stale", text)

    def test_what_is_no_figure_is_refused(self):
        for quick, control in ((True, 1.0), (False, 1.05)):
            status, text = self.write(quick, control)
            self.assertEqual(status, 1)
            self.assertIn("stale", text)


    def test_the_tree_has_the_figures_of_the_page_that_it_keeps(self):
        (results,) = (ROOT / "bench" / "results").glob("*/results.json")
        everything = json.loads(results.read_text(encoding="utf-8"))
        page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
        self.assertIn(figures.section(everything, f"../bench/results/{results.parent.name}"), page)
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn("\n".join(figures.small_table(everything)), readme)
        self.assertEqual(picture.draw(page, everything),
                         (ROOT / "docs" / "blocking.svg").read_text(encoding="utf-8"))


class KeepTest(unittest.TestCase):
    def test_a_kept_page_replaces_the_one_before_without_its_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            base = pathlib.Path(folder, "results")
            (base / "old").mkdir(parents=True)
            run = keep.make_folder("all", pathlib.Path(folder, "build"))
            self.assertNotEqual(run, keep.make_folder("all", run.parent))
            (run / "runs").mkdir()
            for name in ("README.md", "a.svg", "results.json", "runs/a.json", "server"):
                (run / name).write_text("x", encoding="utf-8")
            kept = keep.keep(run, base)
            self.assertEqual([kept], list(base.iterdir()))
            self.assertEqual(sorted(path.name for path in kept.rglob("*")),
                             ["README.md", "a.svg", "results.json"])

    def test_json_is_short_and_the_same(self):
        everything = {"title": "t", "rows": [{"a": 1.23456789, "b": [2, None]}, {}], "left": []}
        text = keep.as_json(everything)
        self.assertEqual(json.loads(text), keep.rounded(everything))
        self.assertIn('{"a":1.2346,"b":[2,null]},\n{}', text)


class ChartTest(unittest.TestCase):
    def widths(self, picture):
        bars = xml.dom.minidom.parseString(picture).getElementsByTagName("rect")[1:]
        return [float(bar.getAttribute("width")) for bar in bars]

    def test_bars_are_as_long_as_their_values(self):
        bars = [("a", 1.0, None, None, True), ("<b>", 2.0, 1.5, 2.5, False)]
        first, second = self.widths(svg.bar_chart("T", "n", "u", bars, reference=1.0))
        self.assertAlmostEqual(second / first, 2, delta=0.01)

    def test_bars_of_a_logarithmic_axis(self):
        bars = [("a", 10.0, None, None, True), ("b", 100.0, None, None, False),
                ("c", 1000.0, None, None, False)]
        one, two, three = self.widths(svg.bar_chart("T", "n", "u", bars, log=True))
        self.assertAlmostEqual(three - two, two - one, delta=2)

    def test_ticks(self):
        self.assertEqual([round(tick, 6) for tick in svg.ticks_of(0, 1.6, False)],
                         [0, 0.5, 1.0, 1.5])
        self.assertEqual(svg.ticks_of(10, 100_000, True), [10, 100, 1000, 10_000, 100_000])
        self.assertEqual((svg.step_below(0.947), svg.step_above(14.0)), (0.5, 20.0))

    def test_lines_of_a_chart(self):
        picture = svg.line_chart("T & t", "n", "x", "y", {"one": [(0, 1.0), (9, 20.0)],
                                                          "two": [(0, 2.0)]}, log_y=True)
        parsed = xml.dom.minidom.parseString(picture)
        self.assertEqual(len(parsed.getElementsByTagName("polyline")), 2)
        self.assertEqual(len(parsed.getElementsByTagName("circle")), 3)


class WrongServer:
    """Serves every connection with `serve(socket)` in a thread of its own."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guard, args=(connection,), daemon=True).start()

    def guard(self, connection):
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # A thread that waits in accept keeps a closed listener alive.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def echo(connection):
    while received := connection.recv(1 << 16):
        connection.sendall(received)


def forget_at_half_close(connection):
    kept = b""
    while received := connection.recv(1 << 16):
        connection.sendall(kept)
        kept = received


def swap(connection):
    while received := connection.recv(1 << 16):
        connection.sendall(received[::-1])


def one_line_a_read(connection):
    while received := connection.recv(1 << 16):
        connection.sendall(received.split(b" ")[0] + b"\n")


class CheckTest(unittest.TestCase):
    def run_check(self, function, serve):
        with WrongServer(serve) as server:
            function(server.port, random.Random(7))

    def test_a_right_server_passes(self):
        self.run_check(check.check_echo_split, echo)
        self.run_check(check.check_echo_many, echo)

    def test_wrong_servers_do_not(self):
        for function, serve in [(check.check_echo_split, forget_at_half_close),
                                (check.check_echo_split, swap), (check.check_echo_many, swap),
                                (check.check_lines_split, one_line_a_read),
                                (check.check_lines_bad, one_line_a_read),
                                (check.check_lines_sleep, echo)]:
            with self.subTest(check=function.__name__, serve=serve.__name__):
                with self.assertRaises((check.Wrong, OSError)):
                    self.run_check(function, serve)


if __name__ == "__main__":
    unittest.main()
