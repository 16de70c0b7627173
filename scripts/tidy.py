#!/usr/bin/env python3
"""Refuses what the project's rules forbid and no compiler sees. Usage: scripts/tidy.py [ROOT]

Prints one line a finding, `file:line: sentence`, and ends with status 1 if there is one. STYLE.md
holds the rules. A deviation needs its reason beside it: `why-long: ...` for length, `why: ...` for
what a test may not do.
"""

import pathlib
import posixpath
import re
import subprocess
import sys

from classes import blank_comments_and_strings, brace_kind, classes, function_blocks, lines_by_class

# Ratchets: these numbers may only fall.
LINES_MAX = 400
FUNCTION_LINES_MAX = 70
CLASS_LINES_MAX = 800  # over all its files
CLASS_MEMBERS_MAX = 20  # of data
COLUMNS_MAX = 100
FILE_BYTES_MAX = 256 << 10
RESULTS_BYTES_MAX = 2 << 20  # of the one page that bench/results holds
PAGE_COLUMNS_MAX = 120  # of Markdown, tables and code excepted
PAGE_LINES_MAX = {"README.md": 120, "ARCHITECTURE.md": 300}

STEPS = ["accept", "connection", "framing", "handling", "reply", "roster", "runtime"]  # of src
VOID_POINTERS = {  # files of src and include, and why they have a pointer without a type
    "include/trireme/detail/service.h": "a session is of the user's type",
    "include/trireme/detail/session_call.h": "likewise",
    "src/connection/connection.h": "likewise",
    "src/connection/io_worker.cc": "what thread_slot was before",
    "src/framing/lines.cc": "the result of memchr",
    "src/handling/job.h": "likewise, and a session",
    "src/runtime/log.cc": "a name for whatever logs",
    "src/runtime/log.h": "likewise",
    "src/runtime/system/": "calls of libc and the kernel take it",
    "src/runtime/threads/threads.h": "a job to its handler, loop code otherwise, a fiber",
}
TOP_FOLDERS = ["bench", "cmake", "components", "docs", "examples", "include", "load", "scripts",
               "services", "src", "tests", "tool"]  # what a path in a document may begin with
CPP = {".h", ".cc", ".c"}
CODE = CPP | {".py", ".sh", ".cmake"}
BANNED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
STANDARD_HEADER = re.compile(r"[a-z_0-9]+")
SYSTEM_HEADER = re.compile(
    r"[a-z_0-9]+|(sys|netinet|arpa|net|linux)/[a-z_0-9]+\.h|"
    r"(cxxabi|dirent|errno|fcntl|grp|limits|malloc|netdb|poll|pthread|pwd|sched|signal|"
    r"stdio|stdlib|string|time|unistd)\.h")


# How the comment of a public function begins (STYLE.md, Comments).
THREAD = re.compile(r"(Any thread|Loop thread|Data worker|Before start\(\)|"
                    r"Any fiber|Main fiber|Client's fiber)[.,]")  # of a simulated world


def public_functions(text):
    """Yields (line, name) of the functions that a header declares for its users.

    Left out: what is private or in a namespace `detail`; operators; what is deleted or defaulted;
    constructors and destructors, except those of a resource, which neither copies nor moves.
    """
    clean = blank_comments_and_strings(text)
    scopes = []  # (name, hidden, is a resource) of namespaces and classes; None: a body or a value
    statement, line, first = "", 1, 1
    for index, char in enumerate(clean):
        line += char == "\n"
        in_body = bool(scopes) and scopes[-1] is None
        if in_body and char not in "{}":
            continue
        if char == "{" and not in_body and brace_kind(statement) == "scope":
            scopes.append(scope_of(statement, clean[index:], scopes))
        elif char == "{":
            if not in_body and brace_kind(statement) == "function":
                yield from ((first, name) for name in function_names(statement, scopes))
                statement = ""
            scopes.append(None)
            continue
        elif char == "}":
            if scopes and scopes.pop() is None:
                continue
        elif char == ";":
            yield from ((first, name) for name in function_names(statement, scopes))
        elif char == ":" and statement.strip() in ("public", "protected", "private"):
            name, _, resource, outer = scopes[-1]
            scopes[-1] = (name, outer or statement.strip() != "public", resource, outer)
        else:
            if not statement.strip() and not char.isspace():
                statement, first = "", line
            statement += char
            continue
        statement = ""


def scope_of(statement, rest, scopes):
    """(name, hidden, is a resource, outer is hidden) of a namespace, class or enumeration."""
    plain = re.sub(r"<[^<>]*>|\[\[\w+\]\]", "", statement)
    found = re.search(r"\b(namespace|class|struct|union)\s+([\w:]+)", plain)
    word, name = found.groups() if found else ("", "")
    outer = bool(scopes) and scopes[-1][1]
    copy_deleted = re.search(rf"\b{name}\(const (volatile )?{name}&\) = delete", rest)
    moves = re.search(rf"\b{name}\({name}&&", rest)
    hidden = outer or name == "detail" or word == "class"
    return name, hidden, bool(name and copy_deleted and not moves), outer


def function_names(statement, scopes):
    """The name of the public function that is declared by `statement`, or nothing."""
    name_of_class, hidden, resource, _ = scopes[-1] if scopes else ("", False, False, False)
    plain = statement.replace("->", "  ").strip()
    while plain != (shorter := re.sub(r"<[^<>]*>|\[\[.*?\]\]", "", plain)):
        plain = shorter
    plain = re.sub(r"^(template\s*)+(requires\s*\([^()]*\))?", "", plain).strip()
    found = re.match(r"[^(=]*?(~?\w+)\s*\(", plain)
    if hidden or found is None or re.search(r"=\s*(delete|default)$", plain):
        return
    if re.match(r"(using|typedef|friend|static_assert|concept|requires)\b", plain):
        return
    name = found[1]
    if "operator" in plain[:found.end()] or name == "operator":
        return
    if name.lstrip("~") == name_of_class and not resource:
        return
    yield name


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.findings = []
        self.texts, self.cleaned, self.parsed = {}, {}, {}
        self.files = sorted(self.walk(self.root))
        self.proofs = None
        self.sources = None  # that some CMakeLists.txt builds

    def walk(self, folder):
        for entry in folder.iterdir():
            name = entry.name
            if name in (".git", "build", "__pycache__", ".cache") or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from self.walk(entry)
            elif entry.suffix in CODE | {".md"} or name in ("CMakeLists.txt", "dev"):
                yield entry.relative_to(self.root).as_posix()

    def text(self, file):
        if file not in self.texts:
            self.texts[file] = (self.root / file).read_text(encoding="utf-8")
        return self.texts[file]

    def say(self, file, line, sentence):
        self.findings.append(f"{file}:{line}: {sentence}")

    def run(self):
        for file in self.files:
            suffix = pathlib.Path(file).suffix
            self.check_lines(file, suffix)
            if suffix in CPP:
                self.check_lengths(file)
                self.check_includes(file)
                self.check_assembler(file)
            if suffix == ".h":
                self.check_pragma_once(file)
                self.check_threads(file)
            if suffix == ".md":
                self.check_doc_paths(file)
            if file.startswith("tests/") and suffix in CPP | {".py", ".sh"}:
                self.check_test_manners(file)
            if suffix == ".md" and (file.startswith("docs/") or file in PAGE_LINES_MAX):
                self.check_page(file)
        self.check_sizes()
        self.check_promises()
        self.check_classes()
        self.check_forward_declarations()
        self.check_void_pointers()
        self.check_dead_files()
        self.check_dead_declarations()
        return self.findings

    # What the repository holds.

    def tracked(self):
        """The files that git knows, or all of a tree without git."""
        done = subprocess.run(["git", "-C", self.root, "ls-files", "-z"], capture_output=True,
                              text=True, check=False)
        if done.returncode == 0 and done.stdout:
            names = done.stdout.strip("\0").split("\0")
        else:
            names = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*")]
        return sorted(name for name in names if (self.root / name).is_file())

    def check_sizes(self):
        pages, results = set(), 0
        for name in self.tracked():
            size = (self.root / name).stat().st_size
            if size > FILE_BYTES_MAX:
                self.say(name, 1, f"{size >> 10} KiB; at most {FILE_BYTES_MAX >> 10}")
            parts = name.split("/")
            if parts[:2] == ["bench", "results"]:
                pages.add(parts[2])
                results += size
                if parts[3:-1]:
                    self.say(name, 1, "raw runs stay in build/bench-results")
        if len(pages) > 1:
            self.say("bench/results", 1, f"one page is kept, not {len(pages)}")
        if results > RESULTS_BYTES_MAX:
            self.say("bench/results", 1, f"{results >> 10} KiB; at most {RESULTS_BYTES_MAX >> 10}")

    # Lines.

    def check_lines(self, file, suffix):
        is_code = suffix in CODE or file == "dev" or file.endswith("CMakeLists.txt")
        for number, line in enumerate(self.text(file).split("\n"), 1):
            if line != line.rstrip():
                self.say(file, number, "white space at the end of the line")
            if not is_code:
                continue
            if suffix in CPP | {".py", ".sh"} and len(line) > COLUMNS_MAX and "://" not in line:
                self.say(file, number, f"{len(line)} columns; at most {COLUMNS_MAX}")
            banned = BANNED.search(line)
            if banned:
                self.say(file, number, f"{banned.group()}: do it, or write down why not")
        if self.text(file) and not self.text(file).endswith("\n"):
            self.say(file, self.text(file).count("\n") + 1, "no newline at the end of the file")

    def check_lengths(self, file):
        lines = self.text(file).split("\n")
        if len(lines) - 1 > LINES_MAX and not any("why-long:" in line for line in lines[:20]):
            self.say(file, 1, f"{len(lines) - 1} lines; at most {LINES_MAX}")
        for first, last in function_blocks(self.text(file)):
            length = last - first + 1
            around = "\n".join(lines[max(0, first - 6):first + 4])
            if length > FUNCTION_LINES_MAX and "why-long:" not in around:
                self.say(file, first, f"a function of {length} lines; at most {FUNCTION_LINES_MAX}")

    # Layers.

    def check_includes(self, file):
        targets = []
        for number, line in enumerate(self.text(file).split("\n"), 1):
            include = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not include:
                continue
            mark, name = include.groups()
            target = self.resolve(file, name)
            targets.append((number, target))
            if target is None and mark == '"':
                self.say(file, number, f'no file "{name}"')
            elif target is None:
                self.check_system_include(file, number, name)
            else:
                reason = self.refusal(file, target)
                if reason:
                    self.say(file, number, f"may not include {target}: {reason}")
        own = self.own_headers(file)
        if own and not own & {target for _, target in targets[:1]}:
            if own & {target for _, target in targets}:
                self.say(file, targets[0][0], f"the own header {min(own)} comes first")
            elif file[:file.rindex(".")] + ".h" in own:
                self.say(file, 1, f"does not include its own header {min(own)}")

    def check_assembler(self, file):
        """check_seam.sh sees calls of libc only; a system call can be made without it."""
        if not file.startswith("src/") or file.startswith("src/runtime/system/real_"):
            return
        for number, line in enumerate(self.text(file).split("\n"), 1):
            if re.search(r"\b(asm|__asm__)\b", line.split("//")[0]):
                self.say(file, number, "assembler is for src/runtime/system/real_* only: the seam")

    def resolve(self, file, name):
        """The path of an included file of ours, or None."""
        top = file.split("/")[0]
        components = [f"components/{name}"
                      for name in ("http", "mariadb", "postgres", "redis", "sim", "stacks",
                                    "tls", "uring")]
        for base in (pathlib.PurePosixPath(file).parent, "include", "src", "components",
                     *components, top, "."):
            path = (self.root / base / name).resolve()
            if path.is_file() and path.is_relative_to(self.root):
                return path.relative_to(self.root).as_posix()
        return None

    def check_system_include(self, file, number, name):
        if file.startswith("include/") and not STANDARD_HEADER.fullmatch(name):
            self.say(file, number, f"public headers include the standard library only: <{name}>")
        elif file.startswith("src/") and not SYSTEM_HEADER.fullmatch(name):
            self.say(file, number, f"the core needs libc and pthread only, not <{name}>")

    def refusal(self, file, target):
        """Why `file` may not include `target`, or None."""
        area, to = file.split("/")[0], target.split("/")
        if to[0] == "include":
            return None
        if area in ("tests", "bench"):
            if to[0] == "tool" and not file.startswith("tests/tool/"):
                return "tool is a program; what others share with it belongs in load"
            return None
        if area == "include":
            return "a public header includes public headers only"
        if area == "src":
            if to[0] != "src":
                return "src includes public headers and src only"
            if re.fullmatch(r"src/server[^/]*", file):
                return None
            step, to_step = file.split("/")[1], to[1]
            if step not in STEPS:
                return "only src/server* may stand outside the step folders"
            if to_step not in STEPS or STEPS.index(to_step) < STEPS.index(step):
                return f"{step} comes after {to_step} in the data path"
            return None
        if re.match(r"components/[^/]+/trireme/", target):
            return None  # the public headers of a component
        own = "/".join(file.split("/")[:2]) if area == "components" else area
        allowed = {"components": [own, "src/runtime"], "tool": ["tool", "load", "services"],
                   "services": ["services"], "load": ["load"], "examples": ["examples"]}.get(area)
        if allowed is None or any(target.startswith(prefix + "/") for prefix in allowed):
            return None
        return f"{area} includes public headers and {' and '.join(allowed)}"

    def own_headers(self, file):
        """The header beside a source file, or else the public one of the same name."""
        path = pathlib.PurePosixPath(file)
        if path.suffix == ".h" or path.parts[0] == "tests":
            return set()
        beside = path.with_suffix(".h").as_posix()
        if beside in self.files:
            return {beside}
        return {header for header in self.files if path.parts[0] == "src"
                and header.startswith("include/") and header.endswith(f"/{path.stem}.h")}

    def check_pragma_once(self, file):
        count = len(re.findall(r"^#pragma once$", self.text(file), re.M))
        if count != 1:
            self.say(file, 1, "a header has one `#pragma once`")

    def check_threads(self, file):
        """The comment of every public function, or of the group it stands in, names its thread."""
        if not re.match(r"(include|components/[^/]+)/trireme/(?!detail/)", file):
            return
        lines = self.text(file).split("\n")
        for number, name in public_functions(self.text(file)):
            above = number - 2  # an index; the group ends at an empty line or the head of a class
            while above >= 0 and lines[above].strip() and not re.search(
                    r"^\s*//|^\s*(public|private|protected):|^(class|struct).*\{$", lines[above]):
                above -= 1
            comment = []
            while above >= 0 and lines[above].strip().startswith("//"):
                comment.insert(0, lines[above].strip().lstrip("/ "))
                above -= 1
            if not THREAD.match(" ".join(comment)):
                self.say(file, number, f"the comment of {name}() begins with its thread")
    # Classes.

    def clean(self, file):
        if file not in self.cleaned:
            self.cleaned[file] = blank_comments_and_strings(self.text(file))
        return self.cleaned[file]

    def cpp(self, *folders):
        return [file for file in self.files if file.startswith(folders)
                and pathlib.Path(file).suffix in CPP]

    def classes_of(self, file):
        if file not in self.parsed:
            self.parsed[file] = classes(file, self.text(file))
        return self.parsed[file]

    def check_classes(self):
        for room in ["src/", *sorted({"/".join(file.split("/")[:2]) + "/"
                                      for file in self.cpp("components/")})]:
            self.check_classes_of(room)

    def check_classes_of(self, room):
        lines, members, where = {}, {}, {}
        for file in self.cpp(room):
            for one in self.classes_of(file):
                lines[one.name] = lines.get(one.name, 0) + one.lines
                members[one.name] = max(members.get(one.name, 0), len(one.members))
                where.setdefault(one.name, (file, one.line))
        for file in self.cpp(room):
            if file.endswith(".cc"):
                for name, count in lines_by_class(self.text(file)).items():
                    full = next((known for known in lines if known == name
                                 or known.endswith("::" + name)), None)
                    if full:
                        lines[full] += count
        for name, place in where.items():
            if lines[name] > CLASS_LINES_MAX:
                self.say(*place, f"{name} has {lines[name]} lines over all its files; "
                                 f"at most {CLASS_LINES_MAX}")
            if members[name] > CLASS_MEMBERS_MAX:
                self.say(*place, f"{name} has {members[name]} data members; "
                                 f"at most {CLASS_MEMBERS_MAX}")

    def check_forward_declarations(self):
        """A folder does not know the types of those that come before it, not even by name."""
        folder_of = {}
        for file in self.cpp("src/"):
            for one in self.classes_of(file):
                if "::" not in one.name and file.split("/")[1] in STEPS:
                    folder_of.setdefault(one.name, file.split("/")[1])
        for file in self.cpp("src/"):
            step = file.split("/")[1]
            if step not in STEPS:
                continue
            for number, line in enumerate(self.clean(file).split("\n"), 1):
                declared = re.match(r"\s*(?:friend\s+)?(?:class|struct)\s+(\w+)\s*;", line)
                home = declared and folder_of.get(declared.group(1))
                if home and STEPS.index(home) < STEPS.index(step):
                    self.say(file, number, f"{declared.group(1)} is a type of {home}, "
                                           f"which comes before {step}")

    def check_void_pointers(self):
        for file in self.cpp("src/", "include/"):
            lines = [number for number, line in enumerate(self.clean(file).split("\n"), 1)
                     if re.search(r"\bvoid\s*\*(?!\))", line)]
            if file in VOID_POINTERS and not lines:
                self.say(file, 1, "no void* any more: off VOID_POINTERS of tidy.py with it")
            elif not file.startswith(tuple(VOID_POINTERS)):
                for number in lines:
                    self.say(file, number, "void*: a type, or a reason in VOID_POINTERS of tidy.py")

    # What is there and serves nobody.

    def check_dead_files(self):
        code = self.cpp("")
        included = set()
        for file in code:
            for name in re.findall(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', self.text(file), re.M):
                included.add(name.split("/")[-1])
        for file in code:
            if file.endswith(".h") and file.split("/")[-1] not in included:
                self.say(file, 1, "nobody includes this header")
            elif not file.endswith(".h") and not self.is_built(file):
                self.say(file, 1, "no CMakeLists.txt builds this source")

    def is_built(self, file):
        """Some CMakeLists.txt names it, by itself or by a pattern. True if there is none at all."""
        lists = [name for name in self.files if name.endswith("CMakeLists.txt")]
        if self.sources is None:
            words = set()
            for name in lists:
                text = re.sub(r"#[^\n]*", "", self.text(name))
                text = re.sub(r"GLOB_RECURSE[^)]*", lambda all_below:
                              all_below.group().replace("*.", "**."), text)
                for step in re.findall(r"foreach\(step ([\w ]+)\)", text):
                    words |= {f"src/{one}/**.cc" for one in step.split()}
                for word in re.findall(r"[^\s()\"]+\.cc?\b", text):
                    word = re.sub(r"\$\{\w+\}", "*", re.sub(r"^\$\{\w+\}/", "", word))
                    words.add(posixpath.normpath(posixpath.join(posixpath.dirname(name), word)))
            patterns = (re.escape(word).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
                        for word in sorted(words - {"src/*/*.cc"}))
            self.sources = re.compile("|".join(patterns))
        return not lists or self.sources.fullmatch(file) is not None

    def check_dead_declarations(self):
        """Functions that headers of src declare and nobody defines, or nobody calls."""
        count, defined = {}, set()
        for file in self.cpp(""):
            for word in re.findall(r"\w+", self.clean(file)):
                count[word] = count.get(word, 0) + 1
            defined |= set(re.findall(r"\b(\w+)(?:<[^<>]*>)?::(~?\w+)\s*\(", self.clean(file)))
        for file in self.cpp("src/"):
            if not file.endswith(".h"):
                continue
            for one in self.classes_of(file):
                for name, line, statement in one.declared:
                    own = one.own_name()
                    special = name.strip("~") == own or re.search(
                        r"=\s*(0|default|delete)|\boperator\b|\bfriend\b|\boverride\b|"
                        r"\bfinal\b|\bvirtual\b|\busing\b", statement)
                    if special:
                        continue
                    if (own, name) not in defined:
                        self.say(file, line, f"{one.name}::{name} is declared and never defined")
                    elif count[name] <= 2:
                        self.say(file, line, f"{one.name}::{name} is defined and never used")

    # Tests and documents.

    def check_test_manners(self, file):
        lines = self.text(file).split("\n")
        for number, line in enumerate(lines, 1):
            excused = any("why:" in near for near in lines[max(0, number - 4):number])
            sleeps = re.search(
                r"this_thread::sleep|(?<![.>\w])((u|nano)?sleep|sleep_for)\(|^\s*sleep\s+[0-9$]",
                line)
            if sleeps and not excused:
                self.say(file, number, "a test that sleeps: wait for a condition, or say why: ...")
            opens = re.search(r"listen|serve|connect|bind", line, re.I)
            port = re.search(r"://[^\"'/\s]*:[1-9][0-9]*|--port[= ][1-9]", line)
            if (opens and port or re.search(r"\bhtons\([1-9]", line)) and not excused:
                self.say(file, number, "a fixed port: use 0, or say why: ...")

    def check_doc_paths(self, file):
        folder = (self.root / file).parent
        in_fence = False
        for number, line in enumerate(self.text(file).split("\n"), 1):
            if line.lstrip().startswith("```"):
                in_fence = not in_fence
            if in_fence:
                continue
            for link in re.findall(r"\]\(([^)\s]+)\)", line):
                path = link.split("#")[0]
                if path and "://" not in link and not link.startswith("mailto:"):
                    if not (folder / path).exists():
                        self.say(file, number, f"the link {link} leads nowhere")
            for path in re.findall(r"`([\w.-]+/[\w./-]*)`", line):
                # A name in capitals stands for many: components/NAME.
                if path.split("/")[0] not in TOP_FOLDERS or re.search(r"(^|/)[A-Z]+(/|$)", path):
                    continue
                if not (self.root / path).exists() and not (folder / path).exists():
                    self.say(file, number, f"there is no {path}")

    def check_page(self, file):
        lines = self.text(file).split("\n")
        if len(lines) - 1 > PAGE_LINES_MAX.get(file, len(lines)):
            self.say(file, 1, f"{len(lines) - 1} lines; at most {PAGE_LINES_MAX[file]}")
        in_fence = False
        for number, line in enumerate(lines, 1):
            if line.lstrip().startswith("```"):
                in_fence = not in_fence
            wide = len(line) > PAGE_COLUMNS_MAX and not (in_fence or line.startswith("|"))
            if wide:
                self.say(file, number, f"{len(line)} columns; at most {PAGE_COLUMNS_MAX}")

    def check_promises(self):
        """Every row of docs/promises.md names proofs in its last column, and all of them exist."""
        file = "docs/promises.md"
        if file not in self.files:
            return
        for number, line in enumerate(self.text(file).split("\n"), 1):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or set(line) <= set("|-: ") or cells[0] == "Promise":
                continue
            names = re.findall(r"`([^`]+)`", cells[-1])
            if not names:
                self.say(file, number, "a promise without a proof")
            for name in names:
                if not self.proof_exists(name):
                    self.say(file, number, f"no test or benchmark is named {name}")

    def proof_exists(self, name):
        if self.proofs is None:
            self.proofs = set(self.find_proofs())
        if name in self.proofs or (self.root / name.split()[0]).is_file():
            return True
        # Of a parametrized test `Instance/Suite.Test/3`, the source knows `Suite.Test`.
        plain = re.fullmatch(r"(?:[^./]+/)?([^./]+\.[^./]+)(?:/[^/]+)?", name)
        return plain is not None and plain.group(1) in self.proofs

    def find_proofs(self):
        for file in self.files:
            if not file.startswith(("tests/", "bench/")):
                continue
            text = self.text(file)
            tests = re.findall(r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", text)
            for suite, test in tests:
                yield from (suite, f"{suite}.*", f"{suite}.{test}")
            if file.endswith("CMakeLists.txt"):
                yield from re.findall(
                    r"(?:add_test\(\s*NAME\s|trireme_\w*test\()\s*([\w.-]+)", text)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    findings = Tidy(root).run()
    for finding in findings:
        print(finding)
    if findings:
        print(f"{len(findings)} finding{'s' if len(findings) > 1 else ''}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
