"""The servers that are compared: how each is started, and what it is.

A server is a program in BIN_DIR. All print `listening on tcp://127.0.0.1:PORT` when they are ready.
"""

import dataclasses
import pathlib
import re
import resource
import selectors
import shlex
import signal
import subprocess
import time

START_SECONDS_MAX = 20
IDLE_SECONDS_MAX = 60  # until so many connections have been opened
END_SECONDS_MAX = 5


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    program: str
    services: tuple = ("echo", "delay")
    pool: bool = False  # handlers that block can run elsewhere
    options: tuple = ()  # of `trireme serve`, or of a floor
    note: str = ""

    def command(self, bin_dir, service, threads=1, pool=0):
        if self.program == "latency_timer":
            return "both-ends"
        program = str(pathlib.Path(bin_dir) / self.program)
        if self.program == "trireme":
            words = [program, "serve", service, "--listen", "tcp://127.0.0.1:0", "--log-level",
                     "error", "--io-workers", threads, *self.options]
            words += ["--data-workers", pool] if pool else []
        elif self.program.startswith("floor_"):
            words = [program, "lines" if service == "delay" else service, 0]
            words += [pool or 16] if self.pool else []
            words += self.options
        else:
            words = [program, service, "--threads", threads]
            words += ["--pool", pool] if pool and self.pool else []
        return shlex.join(map(str, words))


def trireme(dispatch, driver="epoll", poll_time=None, accepting="listener"):
    options = ("--dispatch", dispatch) + (() if driver == "epoll" else ("--driver", driver))
    options += ("--poll-time", poll_time) if poll_time else ()
    name = f"trireme {dispatch}" + ("" if driver == "epoll" else f" {driver}")
    options += ("--accepting", accepting) if accepting != "listener" else ()
    name += ", polling" if poll_time else ""
    name += ", loops accept" if accepting == "loops" else ""
    return Server(name, "trireme", pool=dispatch != "inline", options=options)


FLOOR = Server("floor epoll", "floor_epoll")
FLOOR_SPINS = Server("floor epoll, never asleep", "floor_epoll", options=("spin",))
FLOOR_RECEIVES = Server("floor epoll, only receives", "floor_epoll", options=("receive",))
BOTH_ENDS = Server("both ends in one thread", "latency_timer", services=("echo",),
                   note="no server: what the kernel takes")
FLOOR_URING = Server("floor io_uring", "floor_uring")
FLOOR_OFFLOAD = Server("floor offload", "floor_offload", services=("delay",), pool=True)
LIBEVENT = Server("libevent", "peer_libevent", note="bufferevents; no pool")
LIBUV = Server("libuv", "peer_libuv", pool=True, note="uv_queue_work")
ASIO = Server("Asio", "peer_asio", pool=True, note="callbacks, thread_pool")
ASIO_COROUTINE = Server("Asio coroutines", "peer_asio_coroutine", pool=True, note="thread_pool")
GO = Server("Go", "peer_go", pool=True, note="goroutine each; pool: a nanosleep each")
NETTY = Server("Netty", "peer_netty", pool=True, note="EventExecutorGroup")
THREADS = Server("thread each", "baseline_threads", note="may always block")
PROCESSES = Server("process each", "baseline_processes", note="may always block")

FLOORS = (FLOOR, FLOOR_SPINS, FLOOR_RECEIVES, FLOOR_URING, FLOOR_OFFLOAD)
PEERS = (LIBEVENT, LIBUV, ASIO, ASIO_COROUTINE, GO, NETTY)
BASELINES = (THREADS, PROCESSES)

DRIVER_NAMES = {"epoll-et": ("epoll-et",), "io_uring": ("io_uring", "io-uring", "uring"),
                "poll": ("poll",), "select": ("select",)}


def drivers_of(help_text):
    """The drivers a help text offers: our name -> the tool's word for it."""
    about = re.search(r"--driver\b(.*?)(?=\n\s+-|\Z)", help_text, re.S)
    words = set(re.findall(r"[a-z][a-z_-]+", about.group(1))) if about else set()
    found = {}
    for name, spellings in DRIVER_NAMES.items():
        for spelling in spellings:
            if spelling in words:
                found[name] = spelling
                break
    return found


def find_drivers(bin_dir):
    done = subprocess.run([str(pathlib.Path(bin_dir) / "trireme"), "serve", "echo", "--help"],
                          capture_output=True, text=True, check=False)
    return drivers_of(done.stdout)


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class StartFailed(Exception):
    pass


class Process:
    """A program of ours that says one line when it is ready; ended when the block is left."""

    def __init__(self, command, ready, cpu=None, patience=START_SECONDS_MAX):
        pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.command = command
        self.process = subprocess.Popen(pin + shlex.split(command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.said = self._wait_ready(ready, patience)
        except BaseException:  # an interrupt, too
            self.end()
            raise

    @property
    def pid(self):
        return self.process.pid

    def _wait_ready(self, ready, patience):
        deadline = time.monotonic() + patience
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                found = re.search(ready, text.decode(errors="replace"))
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise StartFailed(f"not ready within {patience} s: {self.command}")
                piece = self.process.stdout.read1(4096)
                if not piece:
                    raise StartFailed(f"ended before it was ready: {self.command}")
                text += piece

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.end()


class Running(Process):
    def __init__(self, command, cpu=None):
        super().__init__(command, r"listening on (tcp://[^\s:]+:(\d+))\s", cpu)
        self.url = self.said.group(1)
        self.port = int(self.said.group(2))
