"""What the documents contain: blocks, options, paths. Pure functions of text; the tests judge."""

import re

BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
                   re.M | re.S)


def blocks(text, language):
    """Yields (mark, text, line) of every fenced block in that language."""
    for match in BLOCK.finditer(text):
        if match["language"] == language:
            line = text.count("\n", 0, match.start("text")) + 1
            yield match["mark"], match["text"], line


def prose(text):
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", prose(text))


def options_in(text):
    return re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)


def options_of_page(text):
    """Options that a page ascribes to the tool: in code spans, and in commands that call it."""
    found = set()
    for span in code_spans(text):
        # The example of the simulator's page, and the linker, have options of their own.
        others = ("./dev", "cmake", "ctest", "--name", "--repaired", "--wrap", "--fdname",
                  "systemd-socket-activate", "curl", "tutorial_6_codec")
        if not span.startswith(others):
            found.update(options_in(span))
    for _, block, _ in blocks(text, "console"):
        for command in commands(block):
            if re.match(r"(\S*/)?trireme\b", command):
                found.update(options_in(command))
    return found


def commands(block):
    """The commands of a console block, one a line behind `$ `."""
    return [line[2:] for line in block.split("\n") if line.startswith("$ ")]


def exchanges(block):
    """Yields (request, expected) of `$ nc ... <<<'REQUEST'` and the lines that follow."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        request = re.fullmatch(r"nc -N 127\.0\.0\.1 \d+ <<<'([^']*)'", command)
        yield (request[1] if request else None), expected


def runs(block):
    """Yields (command, what is shown of its output) of every command of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def files(text):
    """Yields (name, content) of the blocks marked `file: NAME`."""
    for match in BLOCK.finditer(text):
        if match["mark"] and match["mark"].startswith("file: "):
            yield match["mark"][6:], match["text"]


def labels(output):
    """What stands in the first column of what `bench` prints: that is set off by two blanks."""
    return [re.split(r"  |, ", line.strip())[0] for line in output.split("\n") if line]


def paths_of_page(text):
    """Code spans that look like a file of the tree: folder/name.extension, without a pattern."""
    for span in code_spans(text):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.\w+", span) and not span.startswith("build/"):
            yield span


def options_of_help(text):
    """Option -> standard value (None if there is none) of what `trireme ... --help` prints."""
    found = {}
    for line in text.split("\n"):
        option = re.match(r"\s+(?:-\w,)?(--[a-z][a-z-]*)(?: \w+(?:=(\S+))?)?", line)
        if option:
            found[option[1]] = option[2]
    return found


def options_of_manual(text):
    """Option -> standard value of a manual page: of the entries, each with `Default: X.`"""
    found = {}
    for entry in text.replace("\\-", "-").split("\n.TP\n")[1:]:
        name = re.match(r"\.BI? .*?(--[a-z][a-z-]*)", entry)
        if name:
            standard = re.search(r"^Default: (\S+?)[.;]?(?: |$)", entry, re.M)
            found[name[1]] = standard[1] if standard else None
    return found


def _size(bytes_count):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if bytes_count % unit == 0:
            return f"{bytes_count // unit} {name}"
    return str(bytes_count)


def standard_of(declared):
    """How docs/limits.md writes a default of options.h."""
    value = declared.strip()
    if shift := re.fullmatch(r"(\d+) << (\d+)", value):
        return _size(int(shift[1]) << int(shift[2]))
    if time := re.fullmatch(r"std::chrono::(milliseconds|seconds|minutes)\((\d+)\)", value):
        return time[2] + {"milliseconds": " ms", "seconds": " s", "minutes": " min"}[time[1]]
    if enumerator := re.fullmatch(r"\w+::(k\w+)", value):
        return f"`{enumerator[1]}`"
    if string := re.fullmatch(r'"(\w*)"', value):
        return f"`{string[1]}`"
    return value


def fields_of_header(text):
    """Field -> default as docs/limits.md writes it, of the structs of options.h."""
    found = {}
    for struct in re.findall(r"^struct (?:\w*Options|Limits) \{\n(.*?)^\};", text, re.M | re.S):
        code = re.sub(r"//.*", "", struct)
        for field in re.finditer(r"^  [\w:<>()]+(?:<const \w+>)? (\w+)(?: = ([^;]*)|\{(.*?)\})?;",
                                 code, re.M):
            found[field[1]] = standard_of(field[2] or field[3] or "")
    return found


def rows_of_limits(text):
    """Field -> (options, default) of the tables of docs/limits.md."""
    found = {}
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            found[cells[0].strip("`")] = (options_in(cells[1]), cells[3])
    return found


def reasons_of_limits(text):
    """Field -> its last column in the tables of docs/limits.md."""
    rows = [line.strip("|").split("|") for line in text.split("\n") if line.startswith("| `")]
    return {cells[0].strip().strip("`"): cells[-1].strip() for cells in rows if len(cells) == 5}


def bounds_of_source(text):
    """Field -> the bounds as docs/limits.md writes them, of the sentences of server_validate.cc."""
    found = {}
    for field, bounds in re.findall(r'"(\w+) must be (\d[^"]*? to [^"]*?)"', text):
        found[field] = re.sub(r"\d{4,}", lambda number: f"{int(number[0]):,}", bounds)
    for field, most in re.findall(r'"(\w+) must not be over (\d[^"]*)"', text):
        found[field] = f"At most {most}"
    return found


# Where a fragment of statements stands; a whole program brings its own includes.
PRELUDE = """#include <mutex>
#include <string>
#include <vector>
#include "trireme/trireme.h"
#include "trireme/testing/conversation.h"
#include "trireme/tls.h"
"""
AROUND = {
    "statements": ("namespace tr = trireme; void fragment(tr::Server& server, tr::Peer peer) {\n"
                   "(void)server; (void)peer;\n", "}\n"),
    "declarations": ("namespace tr = trireme;\n", ""),
}


def translation_unit(pages):
    """One C++ file out of the blocks of {name: text}, each in a namespace; findings beside it."""
    includes, bodies, findings = [], [], []
    for name, text in pages.items():
        for mark, block, line in blocks(text, "cpp"):
            includes += re.findall(r"^#include .*$", block, re.M)
            body = re.sub(r"^#include .*$", "", block, flags=re.M)
            before, after = "", ""
            if mark and mark.startswith("fragment: "):
                if mark[10:] not in AROUND:
                    findings.append(f"{name}:{line}: no fragment is called {mark[10:]}")
                    continue
                before, after = AROUND[mark[10:]]
            elif not re.search(r"\bint main\(", block):
                findings.append(f"{name}:{line}: neither a whole program nor marked as a fragment")
                continue
            body = re.sub(r"\bint main\(", "int run_program(", body)
            if "run_program" in body and "return server.run" not in body:
                body = re.sub(r"^\}\s*\Z", "  return 0;\n}\n", body, flags=re.M)
            bodies.append(f"namespace block_{len(bodies)} {{\n{before}"
                          f"#line {line} \"{name}\"\n{body}{after}}}\n")
    return PRELUDE + "\n".join(dict.fromkeys(includes)) + "\n" + "\n".join(bodies), findings
