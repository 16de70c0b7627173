#!/usr/bin/env python3
"""The tutorial is true. Usage: tutorial_test.py FOLDER-OF-PROGRAMS

Goal: what docs/tutorial.md shows of a program is that program, and its conversations come out as
they stand there. Method: compare each block with its file; start the program, play the blocks
marked `played: NAME` with a socket for each client, and end the program by SIGTERM.
"""

import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import documents  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = None
SECONDS = 30  # for one line


def page():
    return (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


class Program:
    """A program of the tutorial, for as long as the `with` lasts."""

    def __init__(self, name):
        self.process = subprocess.Popen(
            [PROGRAMS / name, "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.ports, self.clients = [], {}

    def __enter__(self):
        return self

    def port(self, index):
        while len(self.ports) <= index:  # it prints one line for each URL, when it listens
            said = re.fullmatch(r"listening on tcp://[\d.]+:(\d+)\n",
                                self.process.stdout.readline())
            self.ports.append(int(said[1]))
        return self.ports[index]

    def client(self, name):
        if name not in self.clients:
            address = ("127.0.0.1", self.port(1 if name == "admin" else 0))
            self.clients[name] = socket.create_connection(address, timeout=SECONDS)
        return self.clients[name]

    def hear(self, name, expected):
        """As many bytes as are expected, or fewer at the end of the stream."""
        heard = b""
        while len(heard) < len(expected):
            more = self.client(name).recv(len(expected) - len(heard))
            if not more:
                break
            heard += more
            if not expected.startswith(heard):  # all that is there, for the message
                while select.select([self.client(name)], [], [], 0.1)[0]:
                    more = self.client(name).recv(4096)
                    if not more:
                        break
                    heard += more
                break
        return heard

    def has_heard(self, name):
        return bool(select.select([self.client(name)], [], [], 0)[0])

    def __exit__(self, *error):
        for client in self.clients.values():
            client.close()
        self.process.send_signal(signal.SIGTERM)
        self.status = self.process.wait(SECONDS)
        self.process.stdout.close()


def raw(text, is_lines):
    data = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()),
                  text.encode())
    return data + b"\n" if is_lines else data


class Tutorial(unittest.TestCase):
    def test_blocks_are_the_programs(self):
        shown = {}
        for mark, block, _ in documents.blocks(page(), "cpp"):
            self.assertTrue(mark and mark.startswith("program: "), block)
            shown[mark[9:]] = block
        files = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
                 for path in ROOT.glob("examples/tutorial/*.cc")}
        self.assertEqual(shown, files)
        self.assertEqual({name.split("/")[-1][0] for name in shown}, set("123456789"))

    def test_conversations_come_out(self):
        played = set()
        for mark, block, line in documents.blocks(page(), "text"):
            self.assertTrue(mark and mark.startswith("played: "), f"line {line}")
            name, *how = mark[8:].split()
            played.add(name)
            with Program(name) as program:
                for number, step in enumerate(block.splitlines(), line):
                    with self.subTest(program=name, line=number, step=step):
                        self.play(program, step, how != ["bytes"])
            self.assertEqual(program.status, 0, name)
        servers = {f"tutorial_{path.stem}" for path in ROOT.glob("examples/tutorial/*.cc")}
        self.assertEqual(played, servers - {"tutorial_8_test", "tutorial_9_simulated",
                                            "tutorial_10_http"})

    def test_calls_of_curl_come_out(self):
        if not (PROGRAMS / "tutorial_10_http").exists():
            self.skipTest("built without the component http")
        blocks = [block for mark, block, _ in documents.blocks(page(), "console")
                  if mark == "played: tutorial_10_http"]
        self.assertEqual(len(blocks), 1)
        calls = re.split(r"(?m)^\$ ", blocks[0])[1:]
        with Program("tutorial_10_http") as program:
            for call in calls:
                command, _, expected = call.partition("\n")
                words = command.replace("127.0.0.1:7000", f"127.0.0.1:{program.port(0)}").split()
                done = subprocess.run(words, text=True, stdout=subprocess.PIPE, timeout=SECONDS,
                                      check=False)
                self.assertEqual(done.stdout, expected, command)
        self.assertEqual(program.status, 0)
        self.assertGreater(len(calls), 5)

    def play(self, program, step, is_lines):
        if step == "(SIGTERM)":
            program.process.send_signal(signal.SIGTERM)
            return
        name, arrow, text = re.fullmatch(r"(\w+)([<>]) (.*)", step).groups()
        if arrow == "<":
            expected = b"" if text == "(end)" else raw(text, is_lines)
            heard = program.hear(name, expected) if expected else program.client(name).recv(4096)
            self.assertEqual(heard, expected)
        elif text == "(leaves)":
            program.clients.pop(name).close()
        else:
            program.client(name).sendall(raw(text, is_lines))

    def test_a_blocking_handler_delays_nobody_else(self):
        """Of step 4. A busy machine may let this process wait: then it is tried again."""
        for _ in range(5):
            with Program("tutorial_4_blocking") as program:
                program.client("bob")
                began = time.monotonic()
                program.client("ada").sendall(b"count\n")
                program.client("bob").sendall(b"ping\n")
                self.assertEqual(program.hear("bob", b"pong\n"), b"pong\n")
                if not program.has_heard("ada"):
                    self.assertEqual(program.hear("ada", b"150 books\n"), b"150 books\n")
                    self.assertGreater(time.monotonic() - began, 1)
                    return
        self.fail("bob has waited for ada")


if __name__ == "__main__":
    PROGRAMS = pathlib.Path(os.path.abspath(sys.argv.pop(1)))
    unittest.main()
