"""What is compared with what: one row a comparison, in the order in which they are run.

A row has a server A, the yardstick, and a server B. Its figure is B's over A's.
"""

import dataclasses

import servers as s

IDLE_MAX = 18_000  # with the active ones, within 20,000 descriptors a process
MANY = 9_900       # at both servers at once: 19,800 descriptors of the load
MEMORY_CONNECTIONS = 10_000
# The load never sleeps: on loopback the server's CPU would pay for waking it, once a reply where
# replies leave one by one, once a batch where a pool sends them.
BLOCK = ("--scenario", "lines", "--connections", "200", "--block", "0.01", "--block-us", "20000",
         "--busy", "1")
ALONE = ("--scenario", "echo", "--connections", "1", "--busy", "1")
FIXED_RATE = ("--scenario", "echo", "--rate", "20000")
FIXED_RATE_ALONE = ALONE + ("--rate", "20000")
RATE_CASE = {"slice_ms": 100, "warmup_ms": 50, "stretch": 1.7, "overhead": 2.5, "weight": 1.5}
BLOCK_SECONDS = 0.01 * 0.02  # of a pool thread's time a request


@dataclasses.dataclass(frozen=True)
class Goal:
    value: float
    better: str = "lower"
    allowed: float = 0.02


@dataclasses.dataclass(frozen=True)
class Row:
    id: str
    group: str
    title: str
    a: s.Server
    b: s.Server
    kind: str = "cost"      # or rate, p99, memory
    service: str = "echo"
    load: tuple = ()        # options of the load
    goal: Goal | None = None
    pools: tuple = (0, 0)   # of A and B
    pinned: bool = True
    idle: tuple = (0, 0)    # connections of A and B that say nothing
    slice_ms: int = 25
    warmup_ms: int = 200   # of each slice of load that is timed for its latency
    stretch: float = 1.15   # a second of slices takes so long
    overhead: float = 1.5   # seconds beside the slices
    weight: float = 1.0     # of the time there is
    claim: bool = False     # five runs, where others have fewer
    quick: bool = True

    def latency(self):
        return self.kind == "p99" or self.group == "offload" or self.b is s.BOTH_ENDS


def echo_case(connections, depth):
    """Options and row properties of one shape of echo load."""
    load = ("--scenario", "echo", "--connections", str(connections), "--depth", str(depth))
    if connections < MANY:
        return {"load": load}
    return {"load": load + ("--sources", "4"), "slice_ms": 250, "stretch": 2.0, "overhead": 6.0,
            "weight": 2.0}


def slower_start(row_overhead, server):
    return row_overhead + (8.0 if server is s.NETTY else 0.0)


def control_rows():
    yield Row("control", "control", "floor against itself", s.FLOOR, s.FLOOR, claim=True,
              **echo_case(64, 1))
    yield Row("control-two-cpus", "control", "floor against itself, nothing pinned", s.FLOOR,
              s.FLOOR, pinned=False, claim=True, **echo_case(64, 1))
    yield Row("control-p99", "control", "floor against itself, p99 at 20,000 requests/s", s.FLOOR,
              s.FLOOR, kind="p99", load=FIXED_RATE_ALONE, claim=True, **RATE_CASE)


SHAPES = ((64, 1), (64, 16), (1000, 1), (MANY, 1))


def echo_rows(drivers):
    for connections, depth in SHAPES:
        for dispatch in ("inline", "adaptive"):
            yield Row(f"echo-{dispatch}-{connections}-depth-{depth}", "echo",
                      f"echo, {dispatch}, {connections:,} connections, depth {depth}", s.FLOOR,
                      s.trireme(dispatch), goal=Goal(1.03), claim=True,
                      quick=connections < 1000 or dispatch == "adaptive",
                      **echo_case(connections, depth))
    for driver, word in drivers.items():
        for connections, depth in SHAPES if driver == "io_uring" else SHAPES[:2]:
            yield Row(f"echo-{driver}-{connections}-depth-{depth}", "echo",
                      f"echo, driver {driver}, {connections:,} connections, depth {depth}",
                      s.FLOOR, s.trireme("inline", word),
                      goal=Goal(0.98) if driver == "io_uring" else None,
                      claim=driver == "io_uring", quick=(connections, depth) == (64, 1),
                      **echo_case(connections, depth))
            if driver == "io_uring":
                yield Row(f"echo-io_uring-{connections}-depth-{depth}-over-floor_uring", "echo",
                          f"echo, io_uring over its floor, {connections:,} connections, "
                          f"depth {depth}", s.FLOOR_URING, s.trireme("inline", word),
                          goal=Goal(1.03), claim=True, quick=False,
                          **echo_case(connections, depth))


def delay_rows():
    for pinned in (True, False):
        for depth in (1, 16):
            for dispatch in ("inline", "adaptive", "workers"):
                goal = Goal(1.04)
                if dispatch == "adaptive":
                    goal = Goal(1.06 if depth == 1 else 1.08)
                if dispatch == "workers":
                    goal = Goal(1.20 if pinned else 1.30)
                where = "" if pinned else "-two-cpus"
                yield Row(f"delay-{dispatch}-depth-{depth}{where}", "lines",
                          f"delay 0, {dispatch}, depth {depth}"
                          + ("" if pinned else ", two CPUs"), s.FLOOR, s.trireme(dispatch),
                          service="delay", load=("--scenario", "lines", "--depth", str(depth)),
                          pools=(0, 16 if dispatch == "workers" else 0), goal=goal, pinned=pinned,
                          claim=True, quick=pinned or (dispatch, depth) == ("workers", 1))


def adaptive_rows():
    """What it costs that a handler may block, if none does."""
    for depth, goal in ((1, 1.03), (16, 1.05)):
        yield Row(f"adaptive-over-inline-depth-{depth}", "lines",
                  f"delay 0, adaptive over inline, depth {depth}", s.trireme("inline"),
                  s.trireme("adaptive"), service="delay",
                  load=("--scenario", "lines", "--depth", str(depth)), goal=Goal(goal), claim=True)


def blocking_rows():
    goals = {s.FLOOR_OFFLOAD: 1.0, s.ASIO: 1.4, s.ASIO_COROUTINE: 1.4, s.LIBUV: 1.4, s.GO: 2.2,
             s.NETTY: 2.5}
    for dispatch, pool in (("workers", 16), ("adaptive", 32)):
        for peer, goal in goals.items():
            if dispatch == "adaptive" and peer in (s.ASIO_COROUTINE, s.LIBUV):
                continue
            yield Row(f"block-{dispatch}-{pool}-over-{peer.program}", "offload",
                      f"1 % blocks 20 ms: {dispatch} over {peer.name}, {pool} threads", peer,
                      s.trireme(dispatch), kind="rate", service="delay", load=BLOCK,
                      pools=(pool, pool), goal=Goal(goal, "higher"), slice_ms=250, stretch=2.1,
                      overhead=slower_start(2.5, peer), weight=1.5, claim=True,
                      quick=dispatch == "workers" and peer not in (s.ASIO_COROUTINE, s.LIBUV))


def other_rows(congestion):
    ours = s.trireme("adaptive")
    yield Row("churn", "churn", "connect, one request, close", s.FLOOR, ours,
              load=("--scenario", "churn"), goal=Goal(1.10), slice_ms=50, weight=1.5, claim=True)
    for dispatch in ("adaptive", "inline"):
        yield Row(f"churn-loops-accept-{dispatch}", "churn",
                  f"connect, one request, close; loops accept, {dispatch}", s.FLOOR,
                  s.trireme(dispatch, accepting="loops"), load=("--scenario", "churn"),
                  goal=Goal(1.04), slice_ms=50, weight=1.5, claim=True,
                  quick=dispatch == "adaptive")
    if congestion:
        # Bytes by the megabyte, through caches that others use: a row with a control of its own.
        stream = stream_case(congestion)
        yield Row("control-stream", "stream", f"messages of 64 KiB, {congestion}, floor itself",
                  s.FLOOR, s.FLOOR, claim=True, quick=False, **stream)
        yield Row("stream", "stream", f"messages of 64 KiB, {congestion}, inline", s.FLOOR,
                  s.trireme("inline"), goal=Goal(1.03), claim=True, **stream)
        yield Row("stream-adaptive", "stream", f"messages of 64 KiB, {congestion}, adaptive",
                  s.FLOOR, ours, quick=False, **stream)
        yield Row("stream-io_uring", "stream", f"messages of 64 KiB, {congestion}, io_uring",
                  s.FLOOR, s.trireme("inline", "io_uring"), goal=Goal(1.10), claim=True,
                  quick=False, **stream)
    yield Row("one-connection", "latency", "one connection, requests/s", s.FLOOR, ours,
              kind="rate", load=("--scenario", "echo", "--connections", "1"),
              goal=Goal(1.0, "higher"), slice_ms=100, claim=True)
    yield from polling_rows()
    yield Row("rate-20000-p99", "latency", "20,000 requests/s, p99", s.FLOOR, ours, kind="p99",
              load=FIXED_RATE, goal=Goal(1.10), claim=True, **RATE_CASE)


def polling_rows():
    """What is left of a round trip when the server does not sleep, beside what could be left: of a
    floor that does not either, of one that only receives and sends, and of both ends in one thread.
    """
    polls = s.trireme("inline", poll_time="200us")
    case = {"load": ALONE, "kind": "rate", "slice_ms": 100, "warmup_ms": 50, "claim": True}
    yield Row("one-connection-polling", "latency", "one connection, polling, requests/s", s.FLOOR,
              polls, goal=Goal(5.0, "higher"), **case)
    yield Row("one-connection-spinning", "latency", "one connection, floor that never sleeps",
              s.FLOOR, s.FLOOR_SPINS, **case)
    yield Row("one-connection-receiving", "latency", "one connection, floor that only receives",
              s.FLOOR, s.FLOOR_RECEIVES, quick=False, **case)
    yield Row("one-connection-both-ends", "latency", "one connection, both ends in one thread",
              s.FLOOR, s.BOTH_ENDS, quick=False, **case)
    yield Row("one-connection-polling-over-spinning", "latency",
              "one connection, polling over a floor that never sleeps", s.FLOOR_SPINS, polls,
              goal=Goal(0.9, "higher"), quick=False, **case)
    case = RATE_CASE | {"load": FIXED_RATE_ALONE, "kind": "p99", "claim": True}
    yield Row("rate-20000-p99-polling", "latency", "20,000 requests/s, polling, p99", s.FLOOR,
              polls, goal=Goal(0.5), **case)
    yield Row("rate-20000-p99-spinning", "latency",
              "20,000 requests/s, floor that never sleeps, p99", s.FLOOR, s.FLOOR_SPINS,
              quick=False, **case)
    yield Row("rate-20000-p99-receiving", "latency",
              "20,000 requests/s, floor that only receives, p99", s.FLOOR, s.FLOOR_RECEIVES,
              quick=False, **case)
    yield Row("rate-20000-p99-polling-over-spinning", "latency",
              "20,000 requests/s, polling over a floor that never sleeps, p99", s.FLOOR_SPINS,
              polls, goal=Goal(1.1), quick=False, **case)
    yield Row("rate-20000-p99-both-ends", "latency",
              "20,000 requests/s, both ends in one thread, p99", s.FLOOR, s.BOTH_ENDS,
              quick=False, **case)


def stream_case(congestion):
    """New connections for each slice: where the kernel's buffers lie in the caches decides more
    than the server does (0.76 to 1.36 from start to start), so it is drawn again and again.
    """
    load = ("--scenario", "echo", "--connections", "4", "--depth", "16", "--bytes", "65536",
            "--congestion", congestion, "--renew", "1")
    return {"load": load, "slice_ms": 50, "stretch": 2.4}


def idle_rows(drivers):
    active = ("--scenario", "echo", "--connections", "100")
    for server in (s.FLOOR, s.trireme("adaptive")):
        yield Row(f"idle-change-{server.program}", "idle",
                  f"{server.name}: {IDLE_MAX:,} idle beside 100 active, over none", server, server,
                  load=active, idle=(0, IDLE_MAX), overhead=5.0, claim=True)
    usual = (0, 6_000, IDLE_MAX)
    series = {"floor epoll": (s.FLOOR, usual), "floor io_uring": (s.FLOOR_URING, usual),
              "thread each": (s.THREADS, (0, 6_000, 10_000)),
              "Trireme epoll": (s.trireme("inline"), usual)}
    counts_of = {"io_uring": usual, "poll": (0, 1_000, 6_000, IDLE_MAX), "select": (0, 400, 800)}
    for driver, counts in counts_of.items():
        if driver in drivers:
            series[f"Trireme {driver}"] = (s.trireme("inline", drivers[driver]), counts)
    for name, (server, counts) in series.items():
        for count in counts:
            yield Row(f"idle-{name.replace(' ', '-')}-{count}", "idle-chart", f"{name}|{count}",
                      s.FLOOR, server, load=active, idle=(0, count), weight=0.6,
                      overhead=1.5 + count / 4000, quick=count in (0, 800, 6_000))


def peer_rows(congestion):
    """The same figures of everybody else, so that ours have company."""
    everyone = s.PEERS + s.BASELINES
    for server in (s.FLOOR_URING,) + everyone:
        for connections, depth in SHAPES:
            if server is s.PROCESSES and connections == MANY:
                continue  # 20,000 processes and more are not this machine's
            case = echo_case(connections, depth)
            case["overhead"] = slower_start(case.get("overhead", 1.5), server)
            yield Row(f"peer-echo-{server.program}-{connections}-depth-{depth}", "peers",
                      f"echo, {server.name}, {connections:,} connections, depth {depth}", s.FLOOR,
                      server, quick=connections == 64 and depth == 1, **case)
    for server in (s.FLOOR_OFFLOAD,) + everyone:
        if not server.pool:
            continue
        for pinned, depth in ((True, 1), (True, 16), (False, 1)):
            where = "" if pinned else "-two-cpus"
            yield Row(f"peer-delay-{server.program}-depth-{depth}{where}", "peers",
                      f"delay 0, {server.name}, pool 16, depth {depth}"
                      + ("" if pinned else ", two CPUs"), s.FLOOR, server, service="delay",
                      load=("--scenario", "lines", "--depth", str(depth)), pools=(0, 16),
                      pinned=pinned, overhead=slower_start(1.5, server),
                      quick=pinned and depth == 1)
    for server in s.PEERS:
        yield Row(f"peer-churn-{server.program}", "peers", f"churn, {server.name}", s.FLOOR, server,
                  load=("--scenario", "churn"), slice_ms=50, quick=False,
                  overhead=slower_start(1.5, server))
        if congestion:
            yield Row(f"peer-stream-{server.program}", "peers", f"64 KiB, {server.name}", s.FLOOR,
                      server, quick=False, overhead=slower_start(1.5, server),
                      **stream_case(congestion))


def memory_rows():
    for server in (s.FLOOR, s.FLOOR_URING, s.trireme("adaptive")) + s.PEERS + s.BASELINES:
        count = 1_000 if server is s.PROCESSES else MEMORY_CONNECTIONS
        yield Row(f"memory-{server.program}", "memory", f"{server.name}|{count}", server, server,
                  kind="memory", idle=(0, count), weight=0, overhead=slower_start(2.0, server) / 2,
                  goal=Goal(256, "lower", 0) if server.program == "trireme" else None,
                  claim=server.program == "trireme")


def all_rows(drivers, congestion):
    rows = [*control_rows(), *echo_rows(drivers), *delay_rows(), *adaptive_rows(),
            *blocking_rows(), *other_rows(congestion), *memory_rows(), *idle_rows(drivers),
            *peer_rows(congestion)]
    assert len({row.id for row in rows}) == len(rows)
    return rows
