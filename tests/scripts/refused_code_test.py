#!/usr/bin/env python3
"""Handlers and sessions that nobody could call are refused by the compiler, with a sentence.

Goal: a mistyped callback is found when it is compiled, and not by clients that wait for ever.
Method: one source with all of them; each line that is to be refused is marked with its sentence.
Usage: refused_code_test.py INCLUDE_FOLDER, with the compiler in CXX; headers of the component http
are beside that folder.
"""

import os
import re
import subprocess
import sys
import tempfile

MUTABLE = "a mutable lambda is none"
HANDLER = "a handler must be Answer(const Request&) or void(const Request&, Reply)"
TWICE = "that takes a Reply must not return an answer, too"
REQUEST = "the on_request of a session must be public, and be Answer on_request(const Request&) or"
TIMER = "the on_timer of a session must be public, and be void on_timer(uint64_t tag)"
END = "the on_end of a session must be public, and be void on_end()"
ROOM = "the on_writable of a session must be public, and be void on_writable()"
CALL = "f must be callable as f(S&), the session"
CALL_CLASS = "S must be the class of the session"
POST = "f must be callable without arguments"
DRAIN = "the on_drain of a session must be public, and be void on_drain()"
CLOSE = "the on_close of a session must be public, and be void on_close(CloseReason)"
CONCURRENT = "the member `concurrent` of a session must be public and `static constexpr bool`"

HANDLERS = [
    ("[count = 0](const Request&) mutable { return std::to_string(++count); }", MUTABLE),
    ("[count = 0](const Request&, Reply) mutable { ++count; }", MUTABLE),
    ("[](Request&) { return \"x\"; }", HANDLER),
    ("[](const Request&) { return 5; }", HANDLER),
    ("[](const Request&) {}", HANDLER),
    ("[](std::string_view) { return \"x\"; }", HANDLER),
    ("[] { return \"x\"; }", HANDLER),
    ("[](const Request&, Reply) { return \"x\"; }", TWICE),
    ("[](const Request&) { return \"x\"; }", None),
    ("[](const Request& request, Reply reply) { std::move(reply).send(request.own()); }", None),
    ("std::function<Answer(const Request&)>()", None),
    ("&by_function", None),
]

ANSWERS = "Answer on_request(const Request&) { return \"x\"; }"
SESSIONS = [
    ("public: void on_request(const Request&) {}", REQUEST),
    ("public: int on_request(const Request&) { return 1; }", REQUEST),
    ("public: Answer on_request(Request&) { return \"x\"; }", REQUEST),
    ("public: Answer on_request(std::string) { return \"x\"; }", REQUEST),
    ("public: Answer on_request() { return \"x\"; }", REQUEST),
    ("public: void on_request(const Request&, Reply&) {}", REQUEST),
    ("public: void on_request(Reply, const Request&) {}", REQUEST),
    ("public: Answer on_request(const Request&, Reply) { return \"x\"; }", TWICE),
    (f"private: {ANSWERS}", REQUEST),
    (f"protected: {ANSWERS}", REQUEST),
    ("private: void on_request(int) {}  void on_request(char) {}", REQUEST),
    ("public: int on_request = 0;", REQUEST),
    ("public: template <class T> void on_request(T&, T&) {}", REQUEST),
    (f"public: {ANSWERS} void on_close() {{}}", CLOSE),
    (f"public: {ANSWERS} void on_close(int) {{}}", CLOSE),
    (f"public: {ANSWERS} private: void on_close(CloseReason) {{}}", CLOSE),
    (f"public: {ANSWERS} void on_timer() {{}}", TIMER),
    (f"public: {ANSWERS} void on_timer(std::string) {{}}", TIMER),
    (f"public: {ANSWERS} private: void on_timer(uint64_t) {{}}", TIMER),
    (f"public: {ANSWERS} void on_timer(int) {{}}", TIMER),  # would cut tags
    (f"public: {ANSWERS} void on_timer(const double&) {{}}", TIMER),
    (f"public: {ANSWERS} void on_timer(uint64_t) {{}}", None),
    (f"public: {ANSWERS} void on_timer(uint64_t) {{}} void on_timer(int) {{}}", None),
    (f"public: {ANSWERS} template <class T> void on_timer(T) {{}}", None),
    (f"public: {ANSWERS} void on_end(int) {{}}", END),
    (f"public: {ANSWERS} private: void on_end() {{}}", END),
    (f"public: {ANSWERS} void on_writable(size_t) {{}}", ROOM),
    (f"public: {ANSWERS} void on_end() {{}} void on_writable() {{}}", None),
    (f"public: {ANSWERS} void on_drain(int) {{}}", DRAIN),
    (f"public: {ANSWERS} private: void on_drain() {{}}", DRAIN),
    (f"public: {ANSWERS} bool concurrent = true;", CONCURRENT),
    (f"public: {ANSWERS} private: static constexpr bool concurrent = true;", CONCURRENT),
    (f"public: {ANSWERS} void on_drain() {{}} void on_close(CloseReason) {{}}", None),
    (f"public: {ANSWERS} void on_request(int) {{}}", None),
    ("public: std::string on_request(const Request& request) const { return request.own(); }",
     None),
    ("public: void on_request(const Request&, Reply&&) {}", None),
    ("public: std::function<Answer(const Request&)> on_request;", None),
    (f"public: virtual {ANSWERS} virtual ~NAME() = default; virtual void on_drain() {{}}", None),
    (f"public: {ANSWERS} static constexpr bool concurrent = true;", None),
    ("public: explicit NAME(Peer peer) { peer.send(\"news\"); }", None),  # it pushes only
    ("", None),
]

# What others want to run in the turn of a session.
CALLS = [
    ("call<Called>([](Called&) {})", None),
    ("call<Called>([count = 0](Called&) mutable { ++count; })", None),
    ("call<Called>(&Called::said)", None),
    ("call<Called>([] {})", CALL),
    ("call<Called>([](int&) {})", CALL),
    ("call<const Called>([](const Called&) {})", CALL_CLASS),
    ("call<int>([](int&) {})", CALL_CLASS),
    ("post([] {})", None),
    ("post([](Called&) {})", POST),
]

# Of a base class, and of a class that nobody can inherit.
OTHERS = [
    (f"struct Base {{ {ANSWERS} void on_close(int) {{}} }};", "struct NAME : Base {};", CLOSE),
    (f"struct Good {{ {ANSWERS} }};", "struct NAME : Good {};", None),
    ("", f"struct NAME final {{ {ANSWERS} void on_drain(int) {{}} }};", DRAIN),
    ("", "struct NAME final { void on_request(const Request&) {} };", REQUEST),
    ("", f"struct NAME final {{ {ANSWERS} void on_close(CloseReason) {{}} }};", None),
]

# Of the component http: handlers of routes, and sessions of WebSockets.
ROUTE = "a handler of a route must be Response(const http::Request&)"
ROUTE_TWICE = "that takes a Reply must not return a response, too"
MESSAGE = "the on_message of a session must be public, and be void on_message(const"
ROUTE_HANDLERS = [
    ("[](const http::Request&) { return http::text(\"x\"); }", None),
    ("[](const http::Request&, http::Reply) {}", None),
    ("[](http::EventStream) {}", None),
    ("[](const http::Request&, http::EventStream) {}", None),
    ("[](http::Request&) { return http::text(\"x\"); }", ROUTE),
    ("[](const http::Request&) { return 5; }", ROUTE),
    ("[count = 0](const http::Request&) mutable { ++count; return http::text(\"x\"); }", ROUTE),
    ("[](const http::Request&, http::Reply) { return http::text(\"x\"); }", ROUTE_TWICE),
]
MESSAGES = "void on_message(const http::Message&) {}"
SOCKETS = [
    ("public: explicit NAME(http::WebSocket) {}", None),
    (f"public: explicit NAME(http::WebSocket) {{}} {MESSAGES} void on_timer(uint64_t) {{}} "
     "void on_writable() {} void on_drain() {} void on_close(CloseReason) {}", None),
    ("public: explicit NAME(http::WebSocket) {} "
     "std::string on_message(const http::Message& message) { return message.own(); }", None),
    ("public: explicit NAME(http::WebSocket) {} void on_message(int) {}", MESSAGE),
    ("public: explicit NAME(http::WebSocket) {} void on_message(http::Message&) {}", MESSAGE),
    ("public: explicit NAME(http::WebSocket) {} int on_message(const http::Message&) { return 1; }",
     MESSAGE),
    (f"public: explicit NAME(http::WebSocket) {{}} private: {MESSAGES}", MESSAGE),
    ("public: explicit NAME(http::WebSocket) {} void on_timer() {}", TIMER),
    ("public: explicit NAME(http::WebSocket) {} void on_timer(unsigned) {}", TIMER),
    ("public: explicit NAME(http::WebSocket) {} void on_writable(int) {}", ROOM),
    ("public: explicit NAME(http::WebSocket) {} void on_drain(int) {}", DRAIN),
    ("public: explicit NAME(http::WebSocket) {} void on_close() {}", CLOSE),
    ("public: explicit NAME(http::WebSocket) {} private: void on_close(CloseReason) {}", CLOSE),
    ("public: NAME() {}", "a session of a WebSocket is constructed from (http::WebSocket"),
]


def source():
    """The source, and the sentence that belongs to each of its lines that is to be refused."""
    text = ["#include <functional>", "#include \"trireme/testing/conversation.h\"",
            "#include \"trireme/http.h\"", "#include \"trireme/trireme.h\"",
            "using namespace trireme;",
            "[[maybe_unused]] static Answer by_function(const Request&) { return \"x\"; }"]
    uses, wanted, number = [], {}, 0

    def use(line, sentence):
        uses.append((line, sentence))

    for code, sentence in HANDLERS:
        use(f"void use_{number}(Server& server) {{ server.listen(\"\", lines(), {code}); }}",
            sentence)
        number += 1
    use("void talk() { testing::Conversation talk(lines(), [](int) { return 1; }); }", HANDLER)
    classes = [("", f"class NAME {{ {body} }};", sentence) for body, sentence in SESSIONS]
    for before, code, sentence in classes + OTHERS:
        name = f"Session{number}"
        text += [before, code.replace("NAME", name)]
        use(f"void use_{number}(Server& server) {{ server.serve<{name}>(\"\", lines(), {{}}); }}",
            sentence)
        number += 1
    for code, sentence in ROUTE_HANDLERS:
        use(f"void use_{number}(http::Routes& routes) {{ routes.get(\"/\", {code}); }}", sentence)
        number += 1
    for body, sentence in SOCKETS:
        name = f"Session{number}"
        text.append(f"class {name} {{ {body.replace('NAME', name)} }};")
        use(f"void use_{number}(http::Routes& routes) "
            f"{{ routes.websocket<{name}>(\"/\", {{}}); }}", sentence)
        number += 1
    text.append("struct Called { void said() {} };")
    for code, sentence in CALLS:
        use(f"void use_{number}(const Peer& peer) {{ peer.{code}; }}", sentence)
        number += 1
    for line, sentence in uses:
        text.append(line)
        wanted[len(text)] = sentence
    return "\n".join(text) + "\n", wanted


def compile_it(include, text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "refused.cc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        compiler = os.environ.get("CXX", "c++")
        http = os.path.join(include, "..", "components", "http")
        command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-I", include, "-I", http,
                   "-fsyntax-only", path]
        if "clang" in os.path.basename(compiler):
            command.insert(1, "-ferror-limit=0")
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False,
                              env={**os.environ, "LC_ALL": "C"})


def refusals(output, clang):
    """{line of the source: messages of its errors}. g++ tells of places before an error, clang
    behind it."""
    blocks, block, found = [], [], {}
    for line in output.split("\n"):
        if clang and " error: " in line:
            blocks.append(block)
            block = []
        block.append(line)
        if not clang and " error: " in line:
            blocks.append(block)
            block = []
    for block in blocks + [block]:
        message = next((line.split(" error: ")[1] for line in block if " error: " in line), None)
        if message is None:
            continue
        places = [re.match(r"\S*refused\.cc:(\d+):\d", line) for line in block]
        lines = {int(place.group(1)) for place in places if place}
        for line in lines or {0}:
            found.setdefault(line, []).append(message)
    return found


def main():
    text, wanted = source()
    result = compile_it(sys.argv[1], text)
    found = refusals(result.stderr, "clang" in os.path.basename(os.environ.get("CXX", "c++")))
    code, failures = text.split("\n"), []
    for line in sorted(set(wanted) | set(found)):
        sentence, messages = wanted.get(line), found.get(line, [])
        if sentence is None and messages:
            failures.append(f"refused: {code[line - 1]}\n  {messages}")
        if sentence is not None and not any(sentence in message for message in messages):
            failures.append(f"without \"{sentence}\": {code[line - 1]}\n  {messages}")
    for failure in failures:
        print(failure)
    count = sum(sentence is not None for sentence in wanted.values())
    print(f"{count} to be refused, {len(wanted) - count} to be accepted, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
