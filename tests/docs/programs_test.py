#!/usr/bin/env python3
"""The programs of examples/programs do what they say. Usage: programs_test.py FOLDER-OF-PROGRAMS

Goal: what a first user copies works: a chat that warns who is silent, calls that are answered out
of order beside uploads, a server inside a program. Method: start each program, talk to it through
sockets, and end it by SIGTERM. A program that was left out with its component is skipped.
"""

import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = None
SECONDS = 30  # for one line


class Program:
    """One of them, for as long as the `with` lasts."""

    def __init__(self, name, *words):
        self.process = subprocess.Popen([PROGRAMS / name, *words], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def connect(self):
        """To the next URL that it prints."""
        line = self.process.stdout.readline()
        said = re.fullmatch(r"listening on tcp://127\.0\.0\.1:(\d+)\n", line)
        if said is None:
            raise AssertionError(f"no URL: {line!r}, {self.process.stderr.read()}")
        self.port = int(said[1])
        return Client(self.port)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def __exit__(self, *error):
        self.stop()
        self.status = self.process.wait(SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def line(self):
        return self.file.readline().decode().rstrip("\n")

    def ask(self, line):
        self.say(line)
        return self.line()


class Chat(unittest.TestCase):
    HELLO = "welcome: /name NAME, /room ROOM, /quit, or say something"

    def test_talks_in_rooms(self):
        with Program("example_chat", "tcp://127.0.0.1:0") as program, program.connect() as ann:
            self.assertEqual(ann.line(), self.HELLO)
            with Client(program.port) as bob:
                self.assertEqual(bob.line(), self.HELLO)
                self.assertEqual(ann.line(), "somebody is here")
                bob.say("/name Bob")
                self.assertEqual(ann.line(), "somebody is called Bob")
                bob.say("hello")
                self.assertEqual(ann.line(), "Bob: hello")
                self.assertEqual(bob.ask("/room attic"), "you are in attic")
                bob.say("nobody hears this")
                self.assertEqual(ann.ask("/room attic"), "you are in attic")
                self.assertEqual(bob.line(), "somebody is here")
                self.assertEqual(bob.ask("/quit"), "bye")
                self.assertEqual(bob.line(), "")
                self.assertEqual(ann.line(), "Bob has left: closed by handler")
            program.stop()
            self.assertEqual(ann.line(), "the server goes down")
            self.assertEqual(ann.line(), "")
        self.assertEqual(program.status, 0)

    def test_warns_who_is_silent_and_closes_later(self):
        with Program("example_chat", "tcp://127.0.0.1:0", "2") as program, \
                program.connect() as ann:
            ann.say("/name Ann")
            self.assertEqual([ann.line(), ann.line(), ann.line()],
                             [self.HELLO, "are you still here?", ""])
        self.assertEqual(program.status, 0)

    def test_closes_who_does_not_read(self):
        with Program("example_chat", "tcp://127.0.0.1:0") as program, program.connect() as ann:
            self.assertEqual(ann.line(), self.HELLO)
            with Client(program.port) as deaf:
                self.assertEqual(ann.line(), "somebody is here")
                deaf.say("/name Deaf")
                self.assertEqual(ann.line(), "somebody is called Deaf")
                heard, said = "", 0
                text = "x" * 60000
                ann.socket.settimeout(0)
                while not heard and said < 2000:  # until its queue, and the system's, are full
                    ann.socket.settimeout(SECONDS)
                    ann.say(text)
                    said += 1
                    ann.socket.settimeout(0)
                    try:
                        heard = ann.socket.recv(4096).decode()
                    except BlockingIOError:
                        pass
                self.assertEqual(heard, "Deaf has left: slow consumer\n")


class Rpc(unittest.TestCase):
    CALL, RESULT, ERROR, UPLOAD = 1, 2, 3, 4

    @staticmethod
    def send(client, kind, number, payload, size=None):
        size = len(payload) if size is None else size
        client.socket.sendall(struct.pack("!IBI", 5 + size, kind, number) + payload)

    @staticmethod
    def reply(client):
        head = client.file.read(9)
        if len(head) < 9:
            return None
        length, kind, number = struct.unpack("!IBI", head)
        return kind, number, client.file.read(length - 5)

    def test_answers_as_they_come(self):
        with Program("example_rpc", "tcp://127.0.0.1:0") as program, program.connect() as client:
            self.send(client, self.CALL, 1, b"400 slow")
            self.send(client, self.CALL, 2, b"0 quick")
            self.assertEqual(self.reply(client), (self.RESULT, 2, b"quick"))
            self.assertEqual(self.reply(client), (self.RESULT, 1, b"slow"))
            self.send(client, 9, 3, b"x")
            self.assertEqual(self.reply(client)[:2], (self.ERROR, 3))
            self.assertIsNone(self.reply(client))

    def test_uploads_beside_calls(self):
        with tempfile.TemporaryDirectory() as folder, \
                Program("example_rpc", "tcp://127.0.0.1:0", folder) as program, \
                program.connect() as client, Client(program.port) as other:
            content = bytes(range(256)) * 20000
            self.send(client, self.CALL, 1, b"200 before")
            self.send(client, self.UPLOAD, 2, content[:1000], len(content))
            self.assertEqual(self.reply(client), (self.RESULT, 1, b"before"))
            self.send(other, self.CALL, 1, b"0 beside")
            self.assertEqual(self.reply(other), (self.RESULT, 1, b"beside"))
            client.socket.sendall(content[1000:])
            self.assertEqual(self.reply(client), (self.RESULT, 2, str(len(content)).encode()))
            self.assertEqual((pathlib.Path(folder) / "upload-2").read_bytes(), content)
            self.send(client, self.UPLOAD, 3, b"half", 8)
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(self.reply(client), (self.ERROR, 3, b"the upload was cut"))

    def test_a_drain_answers_all_calls(self):
        with Program("example_rpc", "tcp://127.0.0.1:0") as program, program.connect() as client:
            for number in range(20):
                self.send(client, self.CALL, number, b"60000 drained")
            self.send(client, self.CALL, 20, b"0 now")
            self.assertEqual(self.reply(client), (self.RESULT, 20, b"now"))
            program.stop()
            replies = [self.reply(client) for _ in range(20)]
            self.assertEqual(sorted(number for _, number, _ in replies), list(range(20)))
            self.assertIsNone(self.reply(client))


class Embedded(unittest.TestCase):
    def test_serves_its_metrics_and_ends_by_itself(self):
        if not (PROGRAMS / "example_embedded").exists():
            self.skipTest("built without the component http")
        with Program("example_embedded", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0") as program, \
                program.connect() as client, program.connect() as prometheus:
            self.assertEqual(client.ask("x"), "x")
            prometheus.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\n"
                                      b"Connection: close\r\n\r\n")
            head, _, metrics = prometheus.file.read().decode().partition("\r\n\r\n")
            self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"), head)
            self.assertRegex(metrics, r"app_connections 2\napp_requests_total \d\n")
            program.stop()
            self.assertEqual(client.line(), "")
        self.assertEqual(program.status, 0)


if __name__ == "__main__":
    PROGRAMS = pathlib.Path(sys.argv.pop(1))
    unittest.main()
