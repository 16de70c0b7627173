#!/usr/bin/env python3
"""Balancers in front of a server. Usage: balancers_test.py LINES_SERVER

Goal: behind HAProxy (send-proxy, send-proxy-v2) and nginx (proxy_protocol of its module stream) a
server knows the clients. Method: each balancer that is installed, with a configuration of its own
in a temporary folder; a machine without any skips.
"""

import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import lines_server

SKIPPED = 77
PROGRAM = None
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Balancer:
    """Runs a program with a configuration, until the `with` ends."""

    def __init__(self, command, config):
        self.command, self.config = command, config

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        file = pathlib.Path(self.folder.name) / "config"
        file.write_text(self.config.format(port=self.port, folder=self.folder.name))
        words = [word.format(config=file, folder=self.folder.name) for word in self.command]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as talk:
                if talk.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
        raise AssertionError("it does not listen: " + str(self.process.poll()))

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()
        self.folder.cleanup()


def haproxy(server_words):
    return Balancer([HAPROXY, "-db", "-f", "{config}"], """
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen lines
  bind 127.0.0.1:{port}
  server one """ + server_words + "\n")


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class BehindHaproxy(unittest.TestCase):
    def check(self, words, version):
        with lines_server.Server(PROGRAM) as server:
            with haproxy(f"127.0.0.1:{server.port} {words}") as balancer:
                said, own = lines_server.ask(balancer.port, "PEER", "hello", "LAYERS")
        self.assertEqual(said[0], f"{own[0]} {own[1]}")
        self.assertEqual(said[1], "hello")
        self.assertIn(f"proxy.version={version}", said[2].split())
        self.assertIn(f"proxy.destination=127.0.0.1:{balancer.port}", said[2].split())

    def test_version_1(self):
        self.check("send-proxy", 1)

    def test_version_2(self):
        self.check("send-proxy-v2", 2)

    def test_version_2_with_options(self):
        self.check("send-proxy-v2 proxy-v2-options crc32c,unique-id", 2)

    def test_health_checks(self):
        """LOCAL headers: a server that were down would answer nobody."""
        with lines_server.Server(PROGRAM) as server:
            words = f"127.0.0.1:{server.port} send-proxy-v2 check check-send-proxy inter 20ms"
            with haproxy(words) as balancer:
                for _ in range(10):
                    said, own = lines_server.ask(balancer.port, "PEER")
                    self.assertEqual(said, [f"{own[0]} {own[1]}"])


@unittest.skipUnless(NGINX and STREAM.is_file(), "nginx with its module stream is not installed")
class BehindNginx(unittest.TestCase):
    def test_version_1(self):
        with lines_server.Server(PROGRAM) as server:
            config = f"""load_module {STREAM};
daemon off;
master_process off;
pid {{folder}}/pid;
error_log {{folder}}/log;
events {{{{ }}}}
stream {{{{
  server {{{{
    listen 127.0.0.1:{{port}};
    proxy_pass 127.0.0.1:{server.port};
    proxy_protocol on;
  }}}}
}}}}
"""
            with Balancer([NGINX, "-c", "{config}", "-e", "{folder}/log"], config) as balancer:
                said, own = lines_server.ask(balancer.port, "PEER", "LAYERS")
        self.assertEqual(said[0], f"{own[0]} {own[1]}")
        self.assertIn("proxy.version=1", said[1].split())


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    if not HAPROXY and not NGINX:
        print("skipped: neither haproxy nor nginx is installed (apt-get install haproxy)")
        sys.exit(SKIPPED)
    unittest.main()
