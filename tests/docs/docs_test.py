#!/usr/bin/env python3
"""The documents say what is true. Usage: docs_test.py TRIREME, in the root of the tree.

Goal: nothing in README.md and docs/ that a reader would find wrong by trying. Method: every C++
block is compiled, every command looked for, the sessions with `collect` are played against a real
one, options and defaults are compared with the tool's help and with options.h.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import documents  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TRIREME = None
SERVICES = ("echo", "lines", "discard", "delay", "collect", "hello", "files")
SCENARIOS = ("echo", "lines", "churn", "idle", "stream", "script", "http", "ws")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pages():
    """README, ARCHITECTURE and all of docs, but the page whose proofs have a test of their own."""
    names = ["README.md", "ARCHITECTURE.md"]
    names += sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md"))
    return {name: read(name) for name in names if name != "docs/promises.md"}


def help_of(*words):
    return subprocess.run([TRIREME, *words, "--help"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def options_of_serve():
    known = documents.options_of_help(help_of())
    for service in reversed(SERVICES):  # `collect` first: the others' ordering is the default
        known.update(documents.options_of_help(help_of("serve", service)))
    return known


def options_of_bench():
    known = {}
    for scenario in reversed(SCENARIOS):  # the standard values are those of `echo`
        known.update(documents.options_of_help(help_of("bench", scenario)))
    return known


class Serve:
    """A server of its own, with an empty database, for as long as the `with` lasts."""

    def __init__(self, service):
        self.service = service

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        database = ["--db", self.folder.name + "/readings.db"] if self.service == "collect" else []
        self.process = subprocess.Popen(
            [TRIREME, "serve", self.service, "--listen", "tcp://127.0.0.1:0", *database],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = self.process.stdout.readline()  # waits until it listens, or has ended
        self.port = int(re.fullmatch(r"listening on tcp://[\d.]+:(\d+)\n", first)[1])
        return self

    def bench(self, command):
        """What a `trireme bench` of a page prints, when it loads this server for a moment."""
        words = command.replace("$(pgrep -x trireme)", str(self.process.pid)).split()
        words = [word.replace("127.0.0.1:7000", f"127.0.0.1:{self.port}") for word in words]
        done = subprocess.run([TRIREME, *words[1:], "--duration", "200ms", "--warm-up", "0"],
                              cwd=self.folder.name, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=50, check=False)
        return done.returncode, done.stdout

    def ask(self, line):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as talk:
            talk.sendall(line.encode() + b"\n")
            talk.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: talk.recv(65536), b"")).decode()

    def __exit__(self, *error):
        self.process.terminate()
        self.status = self.process.wait(20)
        self.process.stdout.close()
        self.folder.cleanup()


class Documents(unittest.TestCase):
    def test_blocks_compile(self):
        sources = {name: text for name, text in pages().items() if name != "ARCHITECTURE.md"}
        for example in sorted(ROOT.glob("examples/*.cc")):
            sources[f"examples/{example.name}"] = f"```cpp\n{example.read_text('utf-8')}```\n"
        text, findings = documents.translation_unit(sources)
        self.assertEqual(findings, [])
        self.assertGreater(text.count("namespace block_"), 5)
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "blocks.cc"
            source.write_text(text, encoding="utf-8")
            compilers = {os.environ.get("CXX", "c++"), "g++", "clang++-14"}
            for compiler in sorted(filter(shutil.which, compilers)):
                done = subprocess.run(
                    [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic",
                     "-Werror", f"-I{ROOT / 'include'}",
                     *(f"-I{folder}" for folder in sorted(ROOT.glob("components/*"))), source],
                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_server_of_the_readme_is_short(self):
        _, block, _ = next(documents.blocks(read("README.md"), "cpp"))
        self.assertLessEqual(block.count("\n"), 25)

    def test_commands_exist(self):
        count = 0
        for name, text in pages().items():
            for _, block, line in documents.blocks(text, "console"):
                found = documents.commands(block)
                self.assertTrue(found, f"{name}:{line}: no command behind `$ `")
                for command in found:
                    count += 1
                    self.check_command(command, f"{name}:{line}: {command}")
        self.assertGreater(count, 10)

    def check_command(self, command, where):
        words = command.split()
        if words[0] == "./dev":
            self.assertRegex(read("dev"), rf"(?m)^  {words[1]}\b", where)
        elif words[0] == "trireme":
            help_text = help_of()
            if words[1] == "serve":
                self.assertIn(words[2], SERVICES, where)
                help_text = help_of("serve", words[2])
            elif words[1] == "bench":
                self.assertIn(words[2], SCENARIOS, where)
                help_text = help_of("bench", words[2])
            known = documents.options_of_help(help_text)
            for option in documents.options_in(command):
                self.assertIn(option, known, where)
        else:
            self.assertTrue(shutil.which(words[0]), where)

    def test_sessions_with_collect(self):
        played = 0
        for name, text in pages().items():
            for mark, block, line in documents.blocks(text, "console"):
                if mark != "played: collect" or "trireme bench" in block:
                    self.assertNotIn("<<<", block, f"{name}:{line}: a session that is not played")
                    continue
                with Serve("collect") as server:
                    for request, expected in documents.exchanges(block):
                        self.assertIsNotNone(request, f"{name}:{line}: not a call of nc")
                        played += 1
                        self.assertEqual(server.ask(request), expected, f"{name}:{line}: {request}")
                self.assertEqual(server.status, 0)
        self.assertGreater(played, 5)

    def test_runs_of_bench(self):
        played = 0
        for name, text in pages().items():
            files = dict(documents.files(text))
            for mark, block, line in documents.blocks(text, "console"):
                if "trireme bench" not in block:
                    continue
                service = mark[8:] if mark and mark.startswith("played: ") else None
                self.assertIn(service, SERVICES, f"{name}:{line}: a run that is not played")
                with Serve(service) as server:
                    for file, content in files.items():
                        (pathlib.Path(server.folder.name) / file).write_text(content)
                    for command, shown in documents.runs(block):
                        status, said = server.bench(command)
                        self.assertEqual(status, 0, f"{name}:{line}: {command}\n{said}")
                        played += 1
                        if shown:  # figures differ from run to run, their names do not
                            self.assertEqual(documents.labels(shown)[1:],
                                             documents.labels(said)[1:], f"{name}:{line}")
        self.assertGreater(played, 5)

    def test_paths_exist(self):
        for name, text in {**pages(), "CHANGELOG.md": read("CHANGELOG.md")}.items():
            for path in documents.paths_of_page(text):
                self.assertTrue((ROOT / path).is_file(), f"{name}: there is no {path}")

    def test_options_are_those_of_the_tool(self):
        serve, bench = options_of_serve(), options_of_bench()
        for name, text in pages().items():
            unknown = documents.options_of_page(text) - set(serve) - set(bench)
            self.assertEqual(unknown, set(), f"{name}: no option of trireme")
        for known, name in ((serve, "docs/operations.md"), (bench, "docs/bench.md")):
            told = documents.options_of_page(read(name))
            self.assertEqual(set(known) - told - {"--help"}, set(), f"{name} leaves out")

    def test_manual_is_the_help(self):
        manual = documents.options_of_manual(read("docs/man/trireme.1"))
        self.assertEqual(manual, {**options_of_bench(), **options_of_serve()})

    def test_the_version_is_one(self):
        """The macros of version.h, the tool and the package have the version of CMakeLists.txt."""
        version = re.search(r"^project\(trireme VERSION ([\d.]+)", read("CMakeLists.txt"), re.M)[1]
        header = read("include/trireme/version.h")
        parts = [re.search(rf"^#define TRIREME_VERSION_{name} (\d+)$", header, re.M)[1]
                 for name in ("MAJOR", "MINOR", "PATCH")]
        self.assertEqual(".".join(parts), version)
        self.assertIn(f'#define TRIREME_VERSION_STRING "{version}"\n', header)
        said = subprocess.run([TRIREME, "--version"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.assertEqual(said, f"trireme {version}\n")

    def test_limits_are_those_of_the_header(self):
        fields = documents.fields_of_header(read("include/trireme/options.h"))
        rows = documents.rows_of_limits(read("docs/limits.md"))
        self.assertGreater(len(fields), 20)
        self.assertEqual({field: standard for field, (_, standard) in rows.items()}, fields)
        reasons = documents.reasons_of_limits(read("docs/limits.md"))
        bounds = documents.bounds_of_source(read("src/server_validate.cc"))
        self.assertGreater(len(bounds), 8)
        for field, bound in bounds.items():
            least, _, most = bound.partition(" to ")
            accepted = (bound, f"At most {most}", f"{least.split()[0]} to {most}")
            self.assertTrue(any(one in reasons[field] for one in accepted),
                            f"docs/limits.md does not say of {field}: {bound}")
        told = {option for options, _ in rows.values() for option in options}
        known = set(documents.options_of_help(help_of("serve", "collect")))
        # What is no limit of the library has pages of its own.
        others = {option for option in known
                  if option.startswith(("--tls-", "--admin", "--wal-"))}
        self.assertEqual(told, known - others - {"--help", "--listen", "--db"})


if __name__ == "__main__":
    TRIREME = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
