#!/usr/bin/env python3
"""The example of clients with certificates. Usage: example_test.py EXAMPLE

Goal: clients of the authority are served, and known by their names; others are not; certificates
change at SIGHUP. Method: Python's client, and authorities made by the openssl tool.
"""

import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import tls_server

EXAMPLE = None


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stderr=subprocess.DEVNULL)


def make_authority(folder, name):
    tls_server.make_certificate(folder, name, "-addext", "basicConstraints=critical,CA:TRUE")


def make_signed(folder, name, authority):
    """NAME.pem and NAME.key, signed by an authority."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            f"/O=Example/CN={name}", "-keyout", f"{folder}/{name}.key", "-out",
            f"{folder}/{name}.csr")
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{authority}.pem",
            "-CAkey", f"{folder}/{authority}.key", "-CAcreateserial", "-days", "30", "-out",
            f"{folder}/{name}.pem")


class Example(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        make_authority(cls.folder, "ours")
        make_authority(cls.folder, "theirs")
        make_signed(cls.folder, "sensor-7", "ours")
        make_signed(cls.folder, "stranger", "theirs")
        tls_server.make_certificate(cls.folder, "server.test")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        self.server = subprocess.Popen(
            [EXAMPLE, f"{self.folder}/server.test.pem", f"{self.folder}/server.test.key",
             f"{self.folder}/ours.pem", "tls://127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL)
        first = self.server.stdout.readline()
        self.port = int(re.fullmatch(r"listening on tls://127.0.0.1:(\d+)\n", first)[1])

    def tearDown(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(20), 0)
        self.server.stdout.close()

    def ask(self, line, client=None):
        """The answer, and the certificate that was shown."""
        context = ssl.create_default_context(cafile=f"{self.folder}/server.test.pem")
        if client:
            context.load_cert_chain(f"{self.folder}/{client}.pem", f"{self.folder}/{client}.key")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="server.test") as secure:
                secure.sendall((line + "\n").encode())
                return secure.recv(65536).decode(), secure.getpeercert(binary_form=True)

    def test_a_client_is_known_by_its_certificate(self):
        self.assertEqual(self.ask("hello", "sensor-7")[0], "hello\n")
        self.assertEqual(self.ask("who am i", "sensor-7")[0], "CN=sensor-7,O=Example\n")

    def test_nobody_else_is_served(self):
        for client in (None, "stranger"):
            with self.assertRaises(OSError):  # an alert, or in TLS 1.3 an end after the handshake
                self.assertEqual(self.ask("hello", client)[0], "")
                raise OSError("it was closed without a word")

    def test_certificates_change_at_sighup(self):
        _, before = self.ask("x", "sensor-7")
        tls_server.make_certificate(self.folder, "server.test")
        self.server.send_signal(signal.SIGHUP)
        after, deadline = before, time.monotonic() + 20
        while after == before and time.monotonic() < deadline:
            try:
                _, after = self.ask("x", "sensor-7")
            except ssl.SSLCertVerificationError:
                continue  # the old one is shown yet
        self.assertNotEqual(after, before)


if __name__ == "__main__":
    EXAMPLE = sys.argv.pop(1)
    unittest.main()
