#!/usr/bin/env python3
"""The example of a JSON service does what its page shows. Usage: api_test.py PROGRAM

Goal: a service on SQLite with events, WebSockets, uploads and conditions works for programs and for
a browser. Method: http.client and raw sockets; then the page's own test in a headless Chromium,
which is skipped with a sentence where there is none.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None
SECONDS = 60


class Api(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self):
        self.program = subprocess.Popen(
            [PROGRAM, "http://127.0.0.1:0", self.folder.name + "/api.db"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = self.program.stdout.readline()
        self.port = int(re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)[1])

    def stop(self):
        self.program.send_signal(signal.SIGTERM)
        self.assertEqual(self.program.wait(SECONDS), 0)
        self.program.stdout.close()

    def tearDown(self):
        self.stop()
        self.folder.cleanup()

    def ask(self, method, path, body=None, **fields):
        talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        talk.request(method, path, body, fields)
        answer = talk.getresponse()
        content = answer.read()
        talk.close()
        return answer.status, content, answer

    def follow(self, since=None):
        talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        talk.request("GET", "/events", headers={"Last-Event-ID": since} if since else {})
        return talk, talk.getresponse()

    def event(self, stream):
        """The next event of a stream, as its fields; comments are passed over."""
        fields = {}
        while True:
            line = stream.readline().decode().rstrip("\n")
            if not line and fields:
                return fields
            if ": " in line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value

    def test_things_are_made_changed_and_removed_before_everybodys_eyes(self):
        talk, stream = self.follow()
        status, made, answer = self.ask("POST", "/things", '{"name": "a \\"thing\\""}')
        self.assertEqual((status, json.loads(made)["name"]), (201, 'a "thing"'))
        where = answer.getheader("Location")
        self.assertEqual(self.event(stream)["event"], "put")
        tag = self.ask("GET", where)[2].getheader("ETag")
        self.assertEqual(self.ask("GET", where, **{"If-None-Match": tag})[0], 304)
        change = '{"name": "changed"}'
        self.assertEqual(self.ask("PUT", where, change, **{"If-Match": '"other"'})[0], 412)
        self.assertEqual(self.ask("PUT", where, change, **{"If-Match": tag})[0], 200)
        self.assertEqual(self.ask("PUT", where, change, **{"If-Match": tag})[0], 412)
        event = self.event(stream)
        self.assertEqual(json.loads(event["data"])["name"], "changed")
        self.assertEqual(self.ask("DELETE", where)[0], 204)
        self.assertEqual(self.ask("GET", where)[0], 404)
        self.assertEqual(self.event(stream)["event"], "delete")
        stream.close()
        talk.close()
        # Who was away hears what it has missed, also behind a restart.
        self.stop()
        self.start()
        talk, stream = self.follow(event["id"])
        self.assertEqual(self.event(stream)["event"], "delete")
        stream.close()
        talk.close()

    def test_wrong_things_are_refused(self):
        for body in ("", "nonsense", "[]", '{"name": 7}', '{"name": ""}',
                     '{"name": "' + "x" * 101 + '"}'):
            self.assertEqual(self.ask("POST", "/things", body)[0], 422, body)
        self.assertEqual(self.ask("PUT", "/things/99", '{"name": "x"}')[0], 404)
        self.assertEqual(self.ask("POST", "/files", "x")[0], 415)
        self.assertEqual(json.loads(self.ask("GET", "/things")[1]), [])

    def test_files_are_left_and_fetched(self):
        content = os.urandom(200_000)
        form = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a b.bin"\r\n\r\n' +
                content + b"\r\n--b--\r\n")
        status, left, _ = self.ask("POST", "/files", form,
                                   **{"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(status, 201, left)
        where = json.loads(left)["url"]
        self.assertEqual(self.ask("GET", where)[1], content)
        status, part, _ = self.ask("GET", where, Range="bytes=10-19")
        self.assertEqual((status, part), (206, content[10:20]))

    def test_a_browser_sees_it_all(self):
        browser = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser is None:
            self.skipTest("there is no Chromium: the page was not tried")
        with tempfile.TemporaryDirectory() as profile:
            page = subprocess.Popen(
                [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage", "--disable-background-networking",
                 "--user-data-dir=" + profile, "--remote-debugging-port=0",
                 f"http://127.0.0.1:{self.port}/#test"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.assertEqual(self.program.stdout.readline(), "the page: passed\n")
            finally:
                page.terminate()
                page.wait(SECONDS)


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
