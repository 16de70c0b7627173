#!/usr/bin/env python3
"""What reads the documents finds what is wrong in them.

Goal: a check that would pass whatever the documents say is noticed. Method: small texts with one
mistake each.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import documents  # noqa: E402

HELP = """  -h,--help                   Print this
  --listen URL=tcp://x ...
                              where to listen
  --db FILE REQUIRED          file
  --idle-timeout TIME=10m     closed; 0: never
"""


class Refuses(unittest.TestCase):
    def test_blocks(self):
        text = "a\n<!-- fragment: statements -->\n```cpp\nint x;\n```\n```console\n$ ls\nout\n```\n"
        self.assertEqual(list(documents.blocks(text, "cpp")), [("fragment: statements",
                                                                "int x;\n", 4)])
        self.assertEqual(documents.commands(next(documents.blocks(text, "console"))[1]), ["ls"])
        self.assertEqual(documents.prose(text).strip(), "a\n<!-- fragment: statements -->")

    def test_a_block_is_a_program_or_a_fragment(self):
        for block in ("```cpp\nint x;\n```", "<!-- fragment: nonsense -->\n```cpp\nint x;\n```"):
            self.assertEqual(len(documents.translation_unit({"page": block})[1]), 1, block)

    def test_options(self):
        page = "`--gone`, `./dev check --deep`\n```console\n$ trireme serve echo --lost 1\n" \
               "$ cmake --build x\n```\n"
        self.assertEqual(documents.options_of_page(page), {"--gone", "--lost"})
        self.assertEqual(documents.options_of_help(HELP), {
            "--help": None, "--listen": "tcp://x", "--db": None, "--idle-timeout": "10m"})
        manual = ".SH OPTIONS\n.TP\n.BI \\-\\-idle\\-timeout \" TIME\"\nText.\nDefault: 9m.\n"
        self.assertEqual(documents.options_of_manual(manual), {"--idle-timeout": "9m"})

    def test_paths(self):
        page = "`src/gone.cc` `build/x.y` `a b/c.d` `name.h` `docs/` ```not `a/b.c` this"
        self.assertIn("src/gone.cc", list(documents.paths_of_page(page)))
        self.assertNotIn("build/x.y", list(documents.paths_of_page(page)))

    def test_fields(self):
        header = "struct Other {\n  int z = 1;\n};\n" \
                 "struct AOptions {\n  size_t b = 1 << 20;  // x = 2;\n" \
                 "  std::chrono::nanoseconds c{0};\n  LogSink d;\n" \
                 "  Dispatch e = Dispatch::kAdaptive;\n};\n"
        self.assertEqual(documents.fields_of_header(header),
                         {"b": "1 MiB", "c": "0", "d": "", "e": "`kAdaptive`"})
        self.assertEqual(documents.rows_of_limits("| `b` | `--b-max` | bytes | 2 MiB | why |\n"),
                         {"b": (["--b-max"], "2 MiB")})

    def test_exchanges(self):
        block = "$ nc -N 127.0.0.1 1 <<<'A b'\nx\ny\n$ ls\n"
        self.assertEqual(list(documents.exchanges(block)), [("A b", "x\ny\n"), (None, "")])

    def test_runs(self):
        text = "<!-- file: a.txt -->\n```script\nsend\n```\n"
        self.assertEqual(list(documents.files(text)), [("a.txt", "send\n")])
        self.assertEqual(list(documents.runs("$ a b\nc\n$ d\n")), [("a b", "c\n"), ("d", "")])
        self.assertEqual(documents.labels("x tcp://y\n  2 connections, depth\n  CPU   3 us\n"),
                         ["x tcp://y", "2 connections", "CPU"])


if __name__ == "__main__":
    unittest.main()
