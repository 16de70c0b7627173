#!/usr/bin/env python3
"""Are the servers that are compared correct? check.py BIN_DIR [NAME]...

A server that loses a byte is faster than one that does not. Every floor, peer and baseline that is
built gets pipelined, split, half-closed, broken and slow clients. Exit: 0; 1 one of them is wrong;
77 none of the peers is built.
"""

import concurrent.futures
import contextlib
import pathlib
import random
import socket
import struct
import sys
import time

import servers

PATIENCE = 20  # seconds until a reply that does not come is a failure
POOL = 4


class Wrong(Exception):
    pass


def demand(condition, sentence):
    if not condition:
        raise Wrong(sentence)


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_exactly(connection, size):
    pieces = []
    while size > 0:
        piece = connection.recv(min(size, 1 << 20))
        demand(piece, f"the end of the stream, {size} bytes early")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_all(connection):
    pieces = []
    while piece := connection.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def send_split(connection, text, dice, longest):
    position = 0
    while position < len(text):
        size = dice.randint(1, longest)
        connection.sendall(text[position:position + size])
        position += size


def converse(port, text, dice, longest):
    """Sends it in random pieces, then ends its side; everything that comes back."""
    with connect(port) as connection, concurrent.futures.ThreadPoolExecutor(1) as other:
        replies = other.submit(read_all, connection)
        send_split(connection, text, dice, longest)
        connection.shutdown(socket.SHUT_WR)
        return replies.result()


def check_echo_split(port, dice):
    for size, longest in ((1, 1), (700, 3), (300_000, 9_000), (4_000_000, 200_000)):
        text = dice.randbytes(size)
        demand(converse(port, text, dice, longest) == text, f"{size} bytes came back changed")


def check_echo_many(port, dice):
    texts = [dice.randbytes(dice.randint(1, 500)) for _ in range(200)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in texts]
        for connection, text in zip(connections, texts):
            connection.sendall(text)
        for connection, text in zip(connections, texts):
            demand(read_exactly(connection, len(text)) == text, "an echo of another connection")


def fill(connection, text):
    """Sends until nothing more is taken; how much that was."""
    connection.settimeout(0.3)
    sent = 0
    try:
        while sent < len(text):
            sent += connection.send(text[sent:sent + 65536])
    except TimeoutError:
        pass
    connection.settimeout(PATIENCE)
    return sent


def check_echo_slow(port, dice):
    """A client that does not read is held back, loses nothing, and holds up nobody."""
    text = dice.randbytes(1 << 20) * 64
    with connect(port) as slow:
        sent = fill(slow, text)
        demand(sent < len(text), "64 MiB were taken from a client that reads nothing")
        with connect(port) as other:
            other.sendall(b"still there?")
            demand(read_exactly(other, 12) == b"still there?", "no echo beside a slow client")
        demand(read_exactly(slow, sent) == text[:sent], "a slow client's bytes came back changed")


def check_lines_split(port, dice):
    for count, longest in ((1, 1), (50, 2), (5_000, 40), (40_000, 100_000)):
        ids = [f"{dice.randrange(10**9)}-{i}" for i in range(count)]
        text = "".join(f"{name} 0\n" for name in ids).encode()
        replies = converse(port, text, dice, longest).decode()
        demand(replies == "".join(f"{name}\n" for name in ids), f"{count} lines: wrong replies")


def check_lines_bad(port, dice):
    bad = ["", "x", "x ", " 5", "x -1", "x 1 2", "x +1", "x 60000001", "x y", "x\t0"]
    bad.append("y" * 65 + " 0")
    text = "".join(f"{line}\ngood 0\n" for line in bad) + "unfinished 0"
    replies = converse(port, text.encode(), dice, 7).decode().split("\n")
    demand(len(replies) == 2 * len(bad) + 1 and replies[-1] == "", f"{replies}")
    for line, first, second in zip(bad, replies[0::2], replies[1::2]):
        demand(first.startswith("ERR ") and second == "good", f"{line!r} was answered {first!r}")


def check_lines_sleep(port, _):
    with connect(port) as connection:
        begin = time.monotonic()
        connection.sendall(b"a 0\nb 60000\nc 0\n")
        demand(read_exactly(connection, 6) == b"a\nb\nc\n", "a sleep changed the order")
        demand(time.monotonic() - begin >= 0.06, "it did not sleep")


def check_lines_reset(port, _):
    """Clients that vanish while their request is worked on do no harm."""
    for _ in range(20):
        connection = connect(port)
        connection.sendall(b"gone 2000\n" * 3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    with connect(port) as connection:
        connection.sendall(b"here 0\n")
        demand(read_exactly(connection, 5) == b"here\n", "no reply after clients that vanished")


def check_lines_beside(port, _):
    """With a pool, a handler that blocks holds up nobody; half-closing meanwhile loses nothing."""
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(connect(port))
        slow.sendall(b"slow 1500000\n")
        slow.shutdown(socket.SHUT_WR)
        begin = time.monotonic()
        # Netty binds a connection to one thread of the pool: some of these share the sleeper's.
        others = [stack.enter_context(connect(port)) for _ in range(POOL)]
        for other in others:
            other.sendall(b"fast 0\n")
        done = 0
        for other in others:
            other.settimeout(max(begin + 1.2 - time.monotonic(), 0.01))
            try:
                done += read_exactly(other, 5) == b"fast\n"
            except TimeoutError:
                pass
        demand(done >= POOL - 1, f"{done} of {POOL} were answered beside a handler that blocks")
        demand(read_all(slow) == b"slow\n", "half-closed while it was worked on: no reply")
        demand(time.monotonic() - begin >= 1.4, "it did not sleep")


ECHO = (check_echo_split, check_echo_many, check_echo_slow)
LINES = (check_lines_split, check_lines_bad, check_lines_sleep, check_lines_reset)


def check_server(bin_dir, server, seed):
    """The findings, one sentence each."""
    findings = []
    settings = [("echo", 0, ECHO)] if "echo" in server.services else []
    settings += [("delay", 0, LINES)] if server is not servers.FLOOR_OFFLOAD else []
    if server.pool or server in servers.BASELINES:
        settings.append(("delay", POOL, LINES + (check_lines_beside,)))
    for service, pool, checks in settings:
        with servers.Running(server.command(bin_dir, service, pool=pool)) as running:
            for check in checks:
                try:
                    check(running.port, random.Random(seed))
                except (Wrong, OSError) as error:
                    findings.append(f"{server.name}, {service}, pool {pool}: {check.__name__}: "
                                    f"{error}")
    return findings


def present(bin_dir):
    candidates = servers.FLOORS + servers.PEERS + servers.BASELINES
    return [server for server in candidates if (pathlib.Path(bin_dir) / server.program).exists()]


def main(bin_dir, names):
    found = present(bin_dir)
    if not set(found) & set(servers.PEERS):
        print("no peer is built (target `peers`): nothing to check")
        return 77
    servers.raise_descriptor_limit()
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    failed = False
    for server in found:
        if names and server.name not in names:
            continue
        try:
            findings = check_server(bin_dir, server, seed)
        except servers.StartFailed as error:
            findings = [str(error)]
        failed = failed or bool(findings)
        print(f"{server.name}: {'; '.join(findings) or 'right'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
