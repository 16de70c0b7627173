"""One run of one row: starts the servers, lets the timers measure, keeps what they said."""

import contextlib
import json
import pathlib
import re
import subprocess

import servers
import stats

WARMUP_SECONDS = 0.5  # of slices, for both servers together
WARMUP_SECONDS_JVM = 6.0  # it compiles what runs often


class RunFailed(Exception):
    pass


class Runner:
    def __init__(self, bin_dir, results, server_cpu, load_cpu):
        self.bin_dir = pathlib.Path(bin_dir).resolve()
        self.runs = pathlib.Path(results) / "runs"
        self.runs.mkdir(parents=True, exist_ok=True)
        self.server_cpu, self.load_cpu = server_cpu, load_cpu

    def run(self, row, round_number, seconds):
        """{row, round, seconds, values, figures} or {row, round, seconds, error}."""
        record = {"row": row.id, "round": round_number, "seconds": round(seconds, 2)}
        try:
            if row.kind == "memory":
                return record | self._memory(row)
            text = self._latency(row, seconds) if row.latency() else self._cost(row, seconds)
            text = text.replace(f"{self.bin_dir}/", "")  # results hold no paths of this machine
            name = f"{row.id}-{round_number}.json"
            (self.runs / name).write_text(text, encoding="utf-8")
            return record | evaluate(row, json.loads(text))
        except (RunFailed, servers.StartFailed, json.JSONDecodeError, OSError) as error:
            sentence = str(error).replace(f"{self.bin_dir}/", "")
            return record | {"error": sentence}

    def _command(self, row, side):
        threads = 1 if row.pinned or row.b is not servers.GO else 2  # Go: of processors
        server, pool = (row.a, row.pools[0]) if side == "a" else (row.b, row.pools[1])
        return server.command(self.bin_dir, row.service, threads if side == "b" else 1, pool)

    def pins(self):
        """Options of a timer."""
        if self.server_cpu is None:
            return []
        return ["--server-cpu", self.server_cpu, "--load-cpu", self.load_cpu]

    def _pins(self, row):
        return self.pins() if row.pinned else []

    def _call(self, words, seconds):
        try:
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True,
                                  check=False, timeout=seconds * 5 + 60)
        except subprocess.TimeoutExpired as error:
            raise RunFailed("it did not end in time") from error
        if done.returncode != 0:
            told = [line for line in done.stderr.strip().split("\n") if " quadruples" not in line]
            raise RunFailed(" / ".join(told[-2:])[:300] or f"status {done.returncode}")
        return done.stdout

    def _warmup_slices(self, row):
        jvm = servers.NETTY in (row.a, row.b)
        seconds = WARMUP_SECONDS_JVM if jvm else WARMUP_SECONDS
        return max(2, round(seconds * 1000 / row.slice_ms))

    def _cost(self, row, seconds):
        words = [self.bin_dir / "ab_timer", "--seconds", max(seconds, 0.4), "--slice-ms",
                 row.slice_ms, "--warmup-slices", self._warmup_slices(row), "--out", "/dev/stdout",
                 *self._pins(row), *row.load]
        if not any(row.idle):
            sides = ["--a", self._command(row, "a"), "--b", self._command(row, "b")]
            return json_part(self._call(words + sides, seconds))
        with contextlib.ExitStack() as stack:
            sides = []
            for side, count in zip("ab", row.idle):
                server = self._start(stack, row, side)
                self._hold_idle(stack, row, server, count)
                sides += [f"--{side}-url", server.url, f"--{side}-pid", server.pid]
            return json_part(self._call(words + sides, seconds))

    def _start(self, stack, row, side):
        cpu = self.server_cpu if row.pinned else None
        return stack.enter_context(servers.Running(self._command(row, side), cpu))

    def _hold_idle(self, stack, row, server, count):
        if count > 0:
            command = f"{self.bin_dir / 'idle_holder'} {row.service} {server.port} {count}"
            stack.enter_context(servers.Process(command, r"ready \d+\s", self.load_cpu,
                                                servers.IDLE_SECONDS_MAX))

    def _latency(self, row, seconds):
        slices = max(2, self._warmup_slices(row) // 2)
        words = [self.bin_dir / "latency_timer", "--seconds", max(seconds, 4 * row.slice_ms / 1000),
                 "--slice-ms", row.slice_ms, "--warmup-ms", row.warmup_ms,
                 "--warmup-slices", slices, *self._pins(row), *row.load,
                 "--a", self._command(row, "a"), "--b", self._command(row, "b")]
        return self._call(words, seconds)

    def _memory(self, row):
        with contextlib.ExitStack() as stack:
            server = self._start(stack, row, "b")
            shared = row.b is servers.PROCESSES
            before = resident_bytes(server.pid, shared)
            self._hold_idle(stack, row, server, row.idle[1])
            after = resident_bytes(server.pid, shared)
        return {"values": [(after - before) / row.idle[1]],
                "figures": {"before": before, "after": after}}


def json_part(text):
    """What ab_timer prints for people precedes its JSON."""
    begin = text.find("{\n")
    if begin < 0:
        raise RunFailed("ab_timer printed no JSON")
    return text[begin:text.rindex("}") + 1] + "\n"


def resident_bytes(pid, shared=False):
    """Of a process; with `shared` of it and its children, what they share divided among them."""
    if not shared:
        return kibibytes(f"/proc/{pid}/status", "VmRSS") * 1024
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return sum(kibibytes(f"/proc/{one}/smaps_rollup", "Pss") for one in [pid, *children]) * 1024


def kibibytes(path, name):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1))


def rate(piece):
    return piece["requests"] / piece["seconds"]


def usage_requests(piece):
    """Those whose CPU time and switches the slice has; latency_timer looks for longer than it
    measures.
    """
    return piece.get("usage_requests", piece["requests"])


def p99(piece):
    return piece["latency_us"]["p99"]


def sums_of(slices):
    """side -> means over its slices; what a slice does not have is left out."""
    means = {}
    for side in "AB":
        own = [piece for piece in slices if piece["side"] == side]
        if not own:
            continue
        requests = max(1, sum(map(usage_requests, own)))
        figures = {"requests_per_second": sum(map(rate, own)) / len(own),
                   "server_cpu_us": sum(piece["server_cpu_ns"] for piece in own) / requests / 1000,
                   "context_switches": sum(piece["context_switches"] for piece in own) / requests}
        if "latency_us" in own[0]:
            figures["p99_us"] = sum(map(p99, own)) / len(own)
            blocked = [piece["blocking_latency_us"] for piece in own]
            if blocked[0]["count"]:
                figures["blocking_p99_us"] = sum(one["p99"] for one in blocked) / len(blocked)
        means[side.lower()] = figures
    return means


def evaluate(row, data):
    slices = data["slices"]
    if row.kind == "cost":
        values = stats.cost_ratios(slices)
    else:
        values = stats.geometric_ratios(slices, rate if row.kind == "rate" else p99)
    if not values:
        raise RunFailed("no whole quadruple of slices")
    return {"values": values, "figures": sums_of(slices)}
