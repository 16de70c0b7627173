#!/usr/bin/env python3
"""Clients of other hands speak with `trireme serve lines` over TLS. Usage: clients_test.py TRIREME

Goal: every TLS client that is installed is served: OpenSSL's, GnuTLS's, Python's, curl's.
Method: each says a line and gets it back; a reload by SIGHUP, also of files that do not fit.
"""

import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import tls_server

TRIREME = None


def talk(port, folder, *lines, name="one.test"):
    """What Python's client is answered, and the certificate that it was shown."""
    context = ssl.create_default_context(cafile=f"{folder}/{name}.pem")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            secure.sendall("".join(line + "\n" for line in lines).encode())
            said = b""
            while said.count(b"\n") < len(lines) and (more := secure.recv(65536)):
                said += more
            return said.decode().split("\n")[:-1], secure.getpeercert(binary_form=True)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        tls_server.make_certificate(cls.folder, "one.test")
        cls.server = tls_server.Server(TRIREME, cls.folder, ["one.test"]).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.temporary.cleanup()

    def run_client(self, *command, expects="trireme"):
        """Gives a line to a client, which is told to end when what it expects has come back."""
        with tempfile.NamedTemporaryFile() as output:
            # They write to a file block by block if nothing else is said.
            with subprocess.Popen(["stdbuf", "-oL", *command], stdin=subprocess.PIPE, stdout=output,
                                  stderr=subprocess.STDOUT, text=True) as client:
                client.stdin.write("trireme\n")
                client.stdin.flush()
                deadline = time.monotonic() + 20
                seen = ""
                while f"\n{expects}\n" not in "\n" + seen and time.monotonic() < deadline:
                    seen = pathlib.Path(output.name).read_text("utf-8", "replace")
                client.kill()
        self.assertIn(f"\n{expects}\n", "\n" + seen)

    def test_python(self):
        said, _ = talk(self.server.port, self.folder, "hello", "LAYERS")
        self.assertEqual(said[0], "hello")
        self.assertIn("tls.version=TLSv1.3", said[1])
        self.assertIn("tls.name=one.test", said[1])

    def test_openssl(self):
        for version in ("-tls1_2", "-tls1_3"):
            self.run_client("openssl", "s_client", "-quiet", version, "-servername", "one.test",
                            "-verify_return_error", "-CAfile", f"{self.folder}/one.test.pem",
                            "-connect", f"127.0.0.1:{self.server.port}")

    @unittest.skipUnless(shutil.which("gnutls-cli"), "there is no gnutls-cli")
    def test_gnutls(self):
        self.run_client("gnutls-cli", "--x509cafile", f"{self.folder}/one.test.pem", "--port",
                        str(self.server.port), "--verify-hostname", "one.test", "127.0.0.1")

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_curl(self):
        self.run_client("curl", "--silent", "--no-buffer", "--http0.9", "--cacert",
                        f"{self.folder}/one.test.pem", f"https://127.0.0.1:{self.server.port}/",
                        expects="GET / HTTP/1.1")

    def test_plain_text_is_closed(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as plain:
            plain.sendall(b"hello\n")
            self.assertEqual(plain.recv(100), b"")

    def test_http_without_tls_is_told_so(self):
        with tls_server.Server(TRIREME, self.folder, ["one.test"], service="hello") as server:
            if server.port is None:
                self.skipTest("there is no HTTP in this build")
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
                said = b""
                while more := plain.recv(65536):
                    said += more
            self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)
            self.assertIn(b"HTTPS", said)

    def test_reload(self):
        tls_server.make_certificate(self.folder, "renewed.test")
        with tls_server.Server(TRIREME, self.folder, ["one.test"]) as server:
            _, before = talk(server.port, self.folder, "x")
            tls_server.make_certificate(self.folder, "one.test", "-batch")
            deadline = time.monotonic() + 20
            server.process.send_signal(signal.SIGHUP)
            after = before
            while after == before and time.monotonic() < deadline:
                try:
                    _, after = talk(server.port, self.folder, "x")
                except ssl.SSLCertVerificationError:
                    continue  # the old one is shown yet, and the client trusts the new one alone
            self.assertNotEqual(after, before)
            shutil.copy(f"{self.folder}/renewed.test.key", f"{self.folder}/one.test.key")
            server.process.send_signal(signal.SIGHUP)
            for _ in range(20):
                self.assertEqual(talk(server.port, self.folder, "x")[1], after)
        self.assertEqual(server.status, 0)
        tls_server.make_certificate(self.folder, "one.test")


if __name__ == "__main__":
    TRIREME = sys.argv.pop(1)
    unittest.main()
