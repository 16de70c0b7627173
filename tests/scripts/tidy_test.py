#!/usr/bin/env python3
"""scripts/tidy.py refuses what it should.

Goal: every rule is able to fail, and fails on nothing else.
Method: small trees in a temporary folder, each with one thing wrong, next to a twin that is right.
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import classes  # noqa: E402
import tidy  # noqa: E402

PRAGMA = "#pragma once\n"


def findings(tree, dead_files=False):
    """Most trees have headers that nobody includes: that is told where it is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tree.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [finding for finding in tidy.Tidy(folder).run()
                if dead_files or "nobody includes this header" not in finding]


def function(lines):
    return "int f(int a) {\n" + "  ++a;\n" * (lines - 2) + "}\n"


class TidyTest(unittest.TestCase):
    def passes(self, tree):
        self.assertEqual(findings(tree), [])

    def refused(self, tree, text, count=1):
        found = findings(tree)
        self.assertEqual(len(found), count, found)
        self.assertIn(text, found[0])

    def includes(self, file, target):
        own = PRAGMA if file.endswith(".h") else ""
        short = target
        for base in ("include/", "src/", "components/"):
            short = short.removeprefix(base)
        return {file: f'{own}#include "{short}"\n', target: PRAGMA}

    def test_sizes(self):
        page = "bench/results/2026-01-01-all/"
        small, large = "x" * (256 << 10), "x" * ((256 << 10) + 1)
        self.passes({"docs/a.svg": small, page + "README.md": "# A\n", page + "results.json": "{}"})
        self.refused({"docs/a.svg": large}, "docs/a.svg:1: 256 KiB; at most 256")
        self.refused({page + "runs/a.json": "{}"}, "raw runs")
        self.refused({page + "a.svg": "x", "bench/results/other/a.svg": "x"}, "one page is kept")
        self.refused({f"{page}{i}.svg": small for i in range(9)}, "2304 KiB; at most 2048")

    def test_pages(self):
        wide, table = "x" * 121 + "\n", "|" + "x" * 200 + "|\n"
        self.passes({"docs/a.md": "x" * 120 + "\n" + table + "```\n" + wide + "```\n",
                     "bench/README.md": wide})
        for name in ("docs/a.md", "docs/decisions/a.md", "README.md", "ARCHITECTURE.md"):
            self.refused({name: wide}, "121 columns; at most 120")
        self.passes({"README.md": "x\n" * 120, "ARCHITECTURE.md": "x\n" * 300})
        self.refused({"README.md": "x\n" * 121}, "121 lines; at most 120")
        self.refused({"ARCHITECTURE.md": "x\n" * 301}, "301 lines; at most 300")

    def test_layers_that_are_right(self):
        for file, target in [
                ("src/accept/a.cc", "include/trireme/server.h"),
                ("src/accept/a.cc", "src/accept/b.h"),
                ("src/accept/a.cc", "src/runtime/b.h"),
                ("src/framing/a.h", "src/reply/b.h"),
                ("src/server.cc", "src/accept/b.h"),
                ("src/server_run.cc", "src/handling/b.h"),
                ("include/trireme/a.h", "include/trireme/b.h"),
                ("components/sim/a.cc", "src/runtime/b.h"),
                ("components/sim/a.cc", "components/sim/b.h"),
                ("services/a.cc", "include/trireme/b.h"),
                ("tool/a.cc", "services/b.h"),
                ("tool/a.cc", "tool/b.h"),
                ("tool/a.cc", "load/b.h"),
                ("bench/a/a.cc", "load/b.h"),
                ("load/a.cc", "load/b.h"),
                ("load/a.cc", "include/trireme/b.h"),
                ("tests/tool/a.cc", "tool/b.h"),
                ("tests/unit/a.cc", "src/connection/b.h"),
                ("bench/ab/a.cc", "bench/ab/b.h")]:
            with self.subTest(file=file, target=target):
                self.passes(self.includes(file, target))

    def test_layers_that_are_wrong(self):
        for file, target in [
                ("src/runtime/a.cc", "src/reply/b.h"),
                ("src/framing/a.h", "src/connection/b.h"),
                ("src/reply/a.cc", "src/server.h"),
                ("src/reply/a.cc", "components/sim/b.h"),
                ("src/reply/a.cc", "services/b.h"),
                ("src/stray.cc", "src/runtime/b.h"),
                ("include/trireme/a.h", "src/runtime/b.h"),
                ("components/sim/a.cc", "src/connection/b.h"),
                ("components/sim/a.cc", "components/tls/b.h"),
                ("services/a.cc", "src/runtime/b.h"),
                ("services/a.cc", "tool/b.h"),
                ("tool/a.cc", "src/runtime/b.h"),
                ("bench/a/a.cc", "tool/b.h"),
                ("tests/load/a.cc", "tool/b.h"),
                ("load/a.cc", "tool/b.h"),
                ("load/a.cc", "src/runtime/b.h"),
                ("examples/a.cc", "services/b.h")]:
            with self.subTest(file=file, target=target):
                self.refused(self.includes(file, target), "may not include " + target)

    def test_system_includes(self):
        self.passes({"include/trireme/a.h": PRAGMA + "#include <cstdint>\n",
                     "src/runtime/a.cc": "#include <sys/epoll.h>\n#include <unistd.h>\n",
                     "services/a.cc": "#include <sqlite3.h>\n"})
        self.refused({"include/trireme/a.h": PRAGMA + "#include <sys/uio.h>\n"},
                     "standard library only")
        self.refused({"src/runtime/a.cc": "#include <asio.hpp>\n"}, "libc and pthread only")
        self.refused({"src/runtime/a.cc": "#include <sqlite3.h>\n"}, "libc and pthread only")

    def test_assembler(self):
        call = 'long f() { long n = 1; __asm__ volatile("syscall" : "+a"(n)); return n; }\n'
        self.passes({"src/runtime/system/real_a.cc": call, "src/runtime/a.cc": "// no asm here\n"})
        self.refused({"src/runtime/a.cc": call}, "assembler is for src/runtime/system/real_*")

    def test_an_include_that_is_missing(self):
        self.refused({"src/runtime/a.cc": '#include "runtime/b.h"\n'}, 'no file "runtime/b.h"')

    def test_own_header_first(self):
        tree = {"src/runtime/a.h": PRAGMA, "src/runtime/b.h": PRAGMA}
        self.passes(tree | {"src/runtime/a.cc": '#include "runtime/a.h"\n\n#include <string>\n'})
        self.refused(tree | {"src/runtime/a.cc": '#include <string>\n#include "runtime/a.h"\n'},
                     "own header")
        self.refused(tree | {"src/runtime/a.cc": '#include "runtime/b.h"\n'}, "own header")
        public = {"include/trireme/server.h": PRAGMA, "src/runtime/b.h": PRAGMA}
        two = '#include "runtime/b.h"\n#include "trireme/server.h"\n'
        self.refused(public | {"src/server.cc": two}, "own header")

    def test_public_functions_name_their_thread(self):
        file = "include/trireme/a.h"
        for right in (
                "// Any thread. Adds.\nint add(int a);\n",
                "// Any thread, one call at a time.\nint add(int a);\n",
                "// Before start(). Adds.\ntemplate <class T>\n"
                "int add(T a, T (*f)(int)) {\n  return 1;\n}\n",
                "struct A {\n  // Loop thread.\n  int a() { return 1; }\n"
                "  int b() {\n    return 2;\n  }\n};\n",
                "class A {\n public:\n  // Data worker.\n  int a();\n\n private:\n  int b();\n};\n",
                "class A {\n  int a();\n  struct B {\n    int b();\n  };\n};\n",
                "namespace detail {\nint f();\n}\n",
                "// Copies.\nstruct A {\n  A();\n  A(const A& other) : a{other.a} {}\n"
                "  ~A();\n  int a = f(1);\n};\n",
                "// Moves.\nstruct A {\n  A(A&& other);\n  A(const A&) = delete;\n  ~A();\n};\n",
                "struct A {\n  A& operator=(A a);\n  friend int f(A a);\n  int b() = delete;\n};\n",
                "using F = std::function<void(int)>;\ninline constexpr int k = f(1);\nF f{};\n",
                "template <class F>\nconcept C = requires(F f) { f(); };\n"):
            self.passes({file: PRAGMA + right})
        resource = "struct A {\n  A();\n  A(const A&) = delete;\n};\n"
        for wrong, name in (
                ("int add(int a);\n", "add"), ("// Adds.\nint add(int a);\n", "add"),
                ("// Adds. Any thread.\nint add(int a);\n", "add"),
                ("// Any thread.\nint a();\n\nint b();\n", "b"),
                ("// Any thread. Of the class.\nstruct A {\n  int a();\n};\n", "a"),
                ("template <class T>\nclass [[nodiscard]] A {\n"
                 " public:\n  int a() const;\n};\n", "a"),
                (resource, "A")):
            self.refused({file: PRAGMA + wrong}, f"the comment of {name}() begins")
        self.refused({"components/tls/trireme/tls.h": PRAGMA + "int f();\n"}, "the comment of f()")
        for elsewhere in ("src/reply/a.h", "components/tls/a.h", "include/trireme/detail/a.h"):
            self.passes({elsewhere: PRAGMA + "int f();\n"})

    def test_pragma_once(self):
        self.refused({"src/runtime/a.h": "int a();\n"}, "#pragma once")

    def test_file_length(self):
        self.passes({"src/runtime/a.cc": "\n" * tidy.LINES_MAX})
        self.refused({"src/runtime/a.cc": "\n" * (tidy.LINES_MAX + 1)}, "401 lines")
        self.passes({"src/runtime/a.cc": "// why-long: one table\n" + "\n" * tidy.LINES_MAX})

    def test_function_length(self):
        longest = tidy.FUNCTION_LINES_MAX
        self.passes({"src/runtime/a.cc": function(longest)})
        self.refused({"src/runtime/a.cc": function(longest + 1)}, "a function of 71 lines")
        self.passes({"src/runtime/a.cc": "// why-long: one switch\n" + function(longest + 1)})
        self.refused({"src/runtime/a.cc": "namespace a {\nclass B final : C {\n public:\n"
                      + function(longest + 1) + "};\n}\n"}, "a function of 71 lines")
        test = function(longest + 1).replace("int f(int a)", "TEST(A, B)")
        self.refused({"tests/unit/a.cc": test}, "a function of 71 lines")

    def test_what_only_looks_like_a_function(self):
        many = "  static int a = 1;\n" * 80
        for head, tail in [("class A : public B<int(int)> {", "};"), ("namespace a {", "}"),
                           ("struct CAPABILITY(\"loop\") A {", "};"), ("const int a[] = {", "};"),
                           ("template <class F>\nstruct A<F> {", "};")]:
            with self.subTest(head=head):
                self.passes({"src/runtime/a.cc": f"{head}\n{many}{tail}\n"})
        braces = 'char a() { return \'{\'; }\nconst char* b() { return "{{"; }  // {{\n'
        self.passes({"src/runtime/a.cc": braces + "\n" * 100 + "int c() { return 1; }\n"})

    def test_function_blocks_are_found_exactly(self):
        text = ("#include <a>\n"            # 1
                "A::A(int b)\n"             # 2
                "    : b_{b}, c_{1} {\n"    # 3
                "  run([] { f(); });\n"     # 4
                "}\n"                       # 5
                "class D {\n"               # 6
                " public:\n"                # 7
                "  auto e() -> std::string {\n"  # 8
                "    return {};\n"          # 9
                "  }\n"                     # 10
                "  int f_ = 1;\n"           # 11
                "  G g_{1, 2};\n"           # 12
                "  ~D() override { h(); }\n"     # 13
                "};\n")                     # 14
        self.assertEqual(list(tidy.function_blocks(text)), [(2, 5), (8, 10), (13, 13)])

    # A class with so many lines, and a source with so many of its functions' lines.
    def class_of(self, header_lines, source_lines):
        body = "  int f(int a);\n" + "\n" * (header_lines - 3)
        source = '#include "runtime/a.h"\nint A::f(int a) { return f(a); }\n'
        return {"src/runtime/a.h": PRAGMA + "class A {\n" + body + "};\n",
                "src/runtime/a.cc": source + "\n" * (source_lines - 2)}

    def test_lines_of_a_class(self):
        most = tidy.CLASS_LINES_MAX
        half = {"src/runtime/a_more.cc": '#include "runtime/a.h"\nint A::g() { return 1; }\n'
                + "\n" * (tidy.LINES_MAX - 2)}
        self.passes(self.class_of(100, most - tidy.LINES_MAX - 100) | half)
        self.refused(self.class_of(101, most - tidy.LINES_MAX - 100) | half,
                     "src/runtime/a.h:2: A has 801 lines over all its files; at most 800")
        of_another = {"src/runtime/b.cc": '#include "runtime/a.h"\nint B::h() { return 2; }\n'
                      "int B::i() { return 1; }\nint A::g() {\n  return 1; }\n" + "\n" * 300}
        self.passes(self.class_of(399, tidy.LINES_MAX - 1) | of_another)
        self.refused(self.class_of(399, tidy.LINES_MAX) | of_another, "A has 801 lines")

    def test_members_of_a_class(self):
        def members(text):
            return [one.members for one in classes.classes("a.h", text)]

        text = """struct A : B<int> {
          struct C { int inner; enum E { kOne, kTwo }; E e; };
          using D = int;
          static constexpr int kMost = 3;
          static int all;
          friend class F;
          A() : a(1), b{2} { int local = 3; }
          int f(int x, int y) const { return x; }
          virtual void g() = 0;
          int a, *b = nullptr;
          std::function<void(int)> c;
          std::array<int, 3> d{};
          int e GUARDED_BY(mutex) = 0, g[2];
          bool h : 1 = false;
          void (*i)(int) = nullptr;
          const C j{1};
          alignas(64) std::map<int, std::vector<int>> k{{1, {2, 3}}};
        };
        enum class G { kOne, kTwo };"""
        self.assertEqual(members(text), [list("abcdeghijk"), ["inner", "e"]])
        most = "class A {\n" + "".join(f"  int a{i}_;\n" for i in range(tidy.CLASS_MEMBERS_MAX))
        tree = {"src/runtime/b.cc": '#include "runtime/a.h"\n'}
        self.passes(tree | {"src/runtime/a.h": PRAGMA + most + "};\n"})
        self.refused(tree | {"src/runtime/a.h": PRAGMA + most + "  int b_;\n};\n"},
                     "A has 21 data members; at most 20")

    def test_types_of_earlier_folders(self):
        tree = {"src/handling/a.h": PRAGMA + "class A {};\n", "src/accept/a.cc":
                '#include "handling/a.h"\n#include "reply/b.h"\n'}
        self.passes(tree | {"src/reply/b.h": PRAGMA + "class B;\nclass B {};\n"})
        self.refused(tree | {"src/reply/b.h": PRAGMA + "class A;\n"},
                     "src/reply/b.h:2: A is a type of handling, which comes before reply")
        self.passes(tree | {"src/reply/b.h": PRAGMA,
                            "src/accept/c.cc": "class A;\n"})

    def test_pointers_without_a_type(self):
        self.passes({"src/runtime/a.cc": "int a = sizeof(void*);  // void* a\n",
                     "src/runtime/system/real_a.cc": "void* a;\n", "tool/a.cc": "void* a;\n"})
        self.refused({"src/runtime/a.cc": "int a;\nvoid* b;\n"}, "src/runtime/a.cc:2: void*")
        self.refused({"src/runtime/log.cc": "int a;\n"}, "off VOID_POINTERS")

    def test_dead_files(self):
        header = {"src/runtime/a.h": PRAGMA}
        self.assertEqual(findings(header, dead_files=True),
                         ["src/runtime/a.h:1: nobody includes this header"])
        self.assertEqual(findings(header | {"src/runtime/b.cc": '#include "runtime/a.h"\n'},
                                  dead_files=True), [])
        lists = {"CMakeLists.txt": "foreach(step accept runtime)\n  f(src/${step}/*.cc)\n",
                 "tool/CMakeLists.txt": "add_executable(a a.cc ${name}_b.cc ../src/c.cc)\n"}
        for built in ("src/runtime/d/a.cc", "tool/a.cc", "tool/any_b.cc", "src/c.cc"):
            self.passes(lists | {built: "int a;\n"})
        for dead in ("src/reply/a.cc", "tool/c.cc", "tool/b/a.cc", "bench/a.c"):
            self.refused(lists | {dead: "int a;\n"}, f"{dead}:1: no CMakeLists.txt builds")

    def test_dead_declarations(self):
        source = '#include "runtime/a.h"\n\nint A::f() { return g(); }\n'

        def header(text):
            return {"src/runtime/a.h": PRAGMA + "class A {\n public:\n" + text + "};\n"}

        right = "  A();\n  int f();\n  int g() { return f(); }\n  virtual int h() = 0;\n"
        self.passes(header(right) | {"src/runtime/a.cc": source})
        self.refused(header(right + "  int lost(int a) const;\n") | {"src/runtime/a.cc": source},
                     "src/runtime/a.h:8: A::lost is declared and never defined")
        self.refused(header(right + "  int lost();\n")
                     | {"src/runtime/a.cc": source + "int A::lost() { return 1; }\n"},
                     "A::lost is defined and never used")

    def test_columns(self):
        self.passes({"src/runtime/a.cc": "//" + "ü" * (tidy.COLUMNS_MAX - 2) + "\n"})
        self.refused({"src/runtime/a.cc": "//" + "x" * (tidy.COLUMNS_MAX - 1) + "\n"}, "101 col")
        self.passes({"bench/README.md": "x" * 200 + "\n"})

    def test_banned_words(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"):
            self.refused({"src/runtime/a.cc": f"// {word}: later\n"}, word)
            self.refused({"dev": f"# {word}\n"}, word)
        self.passes({"src/runtime/a.cc": "int TO" "DOS;\n"})

    def test_white_space(self):
        self.refused({"src/runtime/a.cc": "int a; \n"}, "white space")
        self.refused({"README.md": "a\t\n"}, "white space")
        self.refused({"src/runtime/a.cc": "int a;"}, "no newline")

    def test_document_paths(self):
        tree = {"src/runtime/a.cc": "", "docs/b.md": ""}
        right = ("[b](b.md#part) `src/runtime/a.cc` `components/NAME` [w](https://x.org)\n"
                 "```\n[none](none.md)\n```\n")
        self.passes(tree | {"docs/a.md": right})
        self.refused(tree | {"docs/a.md": "see [c](c.md)\n"}, "leads nowhere")
        self.refused(tree | {"docs/a.md": "see `src/runtime/c.cc`\n"}, "there is no src/runtime/c")

    def test_promises(self):
        tests = {"tests/unit/a.cc": "TEST(Echo, Answers) {}\nTEST_P(Codec,\n       Splits) {}\n",
                 "tests/scripts/CMakeLists.txt": "trireme_script_test(seam scripts/x)\n",
                 "tests/unit/CMakeLists.txt": "trireme_test(unit SOURCES a.cc)\n"}

        def table(proof):
            head = "# P\n\n| Promise | Proof |\n|---|---|\n"
            return tests | {"docs/promises.md": f"{head}| it runs | {proof} |\n"}

        for proof in ("`Echo.Answers`", "`All/Codec.Splits/3` and `Echo.Answers`", "`Codec.*`",
                      "`seam`", "`tests/unit/a.cc`"):
            with self.subTest(proof=proof):
                self.passes(table(proof))
        self.refused(table("`Echo.Vanished`"), "no test or benchmark is named Echo.Vanished")
        self.refused(table("`Echo.Answers` `sea`"), "is named sea")
        self.refused(table("none yet"), "a promise without a proof")

    def test_tests_that_sleep(self):
        # why: these lines are what tidy must refuse
        for line in ("std::this_thread::sleep_for(1s);", "usleep(3);", "nanosleep(&a, &b);"):
            self.refused({"tests/unit/a.cc": f"int a = ({line}\n"}, "a test that sleeps")
            self.passes({"tests/unit/a.cc": f"// why: the test's subject\nint a = ({line}\n"})
        self.passes({"tests/simulator/a.cc": "int a = (world.sleep_for(1s));  // virtual time\n"})
        self.refused({"tests/scripts/a.sh": "sleep 1\n"}, "a test that sleeps")

    def test_fixed_ports(self):
        # why: these lines are what tidy must refuse
        for line in ('server.listen("tcp://127.0.0.1:7000");', "address.sin_port = htons(80);"):
            self.refused({"tests/unit/a.cc": line + "\n"}, "a fixed port")
            self.passes({"tests/unit/a.cc": line + "  // why: never bound\n"})
        self.passes({"tests/unit/a.cc": 'server.listen("tcp://127.0.0.1:0");\nparse("tcp://a:7000");\n'})

    def test_the_status(self):
        with tempfile.TemporaryDirectory() as folder:
            sys.argv = ["tidy.py", folder]
            self.assertEqual(tidy.main(), 0)
            pathlib.Path(folder, "dev").write_text("a \n")
            self.assertEqual(tidy.main(), 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
