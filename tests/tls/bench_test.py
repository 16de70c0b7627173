#!/usr/bin/env python3
"""`trireme bench` speaks TLS. Usage: bench_test.py TRIREME

Goal: each scenario works over TLS, of both versions; handshakes are full or resumed as it is asked
for; a certificate that is not the wanted one, and a cut stream, are found. Method: the real program
against `trireme serve`, and against a Python server that resumes nothing.
"""

import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

import tls_server

TRIREME = None


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        tls_server.make_certificate(cls.folder, "one.test")
        cls.authority = f"{cls.folder}/one.test.pem"
        cls.servers = {
            service: tls_server.Server(TRIREME, cls.folder, ["one.test"], "--tls-alpn", "h2,echo",
                                       service=service).__enter__()
            for service in ("echo", "delay", "discard")}

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers.values():
            server.__exit__()
        cls.temporary.cleanup()

    def bench(self, scenario, port, *words, status=0, scheme="tls", path=""):
        done = subprocess.run(
            [TRIREME, "bench", scenario, f"{scheme}://127.0.0.1:{port}{path}", "--duration",
             "300ms", "--warm-up", "50ms", "--json", *words], text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def port(self, service="echo"):
        return self.servers[service].port

    def test_every_scenario(self):
        for scenario, service, *words in (
                ("echo", "echo", "--depth", "8", "--bytes", "5KiB", "--threads", "2"),
                ("echo", "echo", "--rate", "500"),
                ("echo", "echo", "--bytes", "1MiB", "--connections", "2"),
                ("lines", "delay", "--block", "0.1", "--block-time", "1ms"),
                ("churn", "echo", "--connections", "4"),
                ("idle", "echo", "--connections", "100", "--active", "4"),
                ("stream", "echo"),
                ("stream", "discard", "--direction", "up")):
            with self.subTest(scenario=scenario, words=words):
                run = self.bench(scenario, self.port(service), *words)
                self.assertGreater(run["requests"], 0)
                self.assertEqual(run["handshakes"], run["connections_opened"])
                self.assertEqual(run["handshakes_resumed"], 0)

    def test_http_and_websocket(self):
        with tls_server.Server(TRIREME, self.folder, ["one.test"], service="hello") as server:
            if server.port is None:
                self.skipTest("there is no HTTP in this build")
            self.assertGreater(self.bench("http", server.port, scheme="https")["requests"], 0)
            self.assertGreater(
                self.bench("ws", server.port, scheme="wss", path="/ws")["requests"], 0)

    def test_handshakes_are_full_or_resumed(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version=version):
                words = ("--tls-version", version, "--connections", "4", "--threads", "2")
                full = self.bench("handshakes", self.port(), *words)
                self.assertEqual(full["handshakes_resumed"], 0)
                self.assertGreaterEqual(full["handshakes"], full["requests"])
                resumed = self.bench("handshakes", self.port(), *words, "--tls-resume")
                # The first of each connection have no ticket yet.
                self.assertGreaterEqual(resumed["handshakes_resumed"], resumed["handshakes"] - 8)
                self.assertGreater(resumed["handshakes_resumed"], 0)

    def test_certificates_are_verified_if_an_authority_is_given(self):
        verified = ("--tls-ca", self.authority)
        self.bench("echo", self.port(), *verified)
        self.bench("echo", self.port(), *verified, "--tls-name", "one.test", "--tls-alpn", "x,echo")
        wrong = self.bench("echo", self.port(), *verified, "--tls-name", "two.test", status=1)
        self.assertIn("hostname mismatch", wrong["problem"].lower())
        tls_server.make_certificate(self.folder, "other.test")
        other = self.bench("churn", self.port(), "--tls-ca", f"{self.folder}/other.test.pem",
                           status=1)
        self.assertIn("self-signed certificate", other["problem"])
        self.assertIn("cannot read", self.bench("echo", self.port(), "--tls-ca", "/nonexistent",
                                                status=2))
        refused = self.bench("echo", self.port(), "--tls-alpn", "nothing", status=1)
        self.assertIn("no application protocol", refused["problem"])

    def test_a_stream_that_is_cut_is_found(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, f"{self.folder}/one.test.key")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def cut():
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(10)
                    secure.shutdown(socket.SHUT_RDWR)  # of the socket: no close_notify
            thread = threading.Thread(target=cut)
            thread.start()
            run = self.bench("echo", listener.getsockname()[1], "--connections", "1", status=1)
            thread.join()
        self.assertIn("TLS: the stream is broken", run["problem"])

    def test_a_server_that_is_plain_is_found(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def answer():
                plain, _ = listener.accept()
                with plain:
                    plain.recv(1000)
                    plain.sendall(b"hello, who is there?\n")
            thread = threading.Thread(target=answer)
            thread.start()
            run = self.bench("echo", listener.getsockname()[1], "--connections", "1", status=1)
            thread.join()
        self.assertIn("TLS: the handshake has failed", run["problem"])


if __name__ == "__main__":
    TRIREME = sys.argv.pop(1)
    unittest.main()
