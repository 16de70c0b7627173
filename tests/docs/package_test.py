#!/usr/bin/env python3
"""The CMake package works as README.md says. Usage: package_test.py BUILD-FOLDER

Goal: `find_package(trireme)` and the two blocks of the README are all that a stranger needs.
Method: install the build into an empty folder, take CMakeLists.txt and the server out of the
README, configure and build them there, with every warning an error. Beside that server: a plugin,
which is loaded; the components that CMake may be asked for; the tutorial of the simulator; the
files that come with a library.
"""

import ctypes
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import documents  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(*words):
    done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}")


WARNINGS = "-Wall -Wextra -Wpedantic -Werror"
PLUGIN = """
#include "trireme/trireme.h"
extern "C" int starts_a_server() {
  trireme::Server server({.io_workers = 1});
  server.listen("tcp://127.0.0.1:0", trireme::lines(),
                [](const trireme::Request& request) -> trireme::Answer { return request.own(); });
  return server.start().ok() && server.drain().empty() ? 1 : 0;
}
"""


def configure(source, build, prefix, lists=None):
    """The status and the words of cmake, on the CMakeLists.txt `lists` if it is given."""
    if lists is not None:
        source.mkdir(exist_ok=True)
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(user LANGUAGES CXX)\n" + lists,
            encoding="utf-8")
    done = subprocess.run(
        ["cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
         f"-DCMAKE_CXX_COMPILER={os.environ.get('CXX', 'c++')}", f"-DCMAKE_CXX_FLAGS={WARNINGS}"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, " ".join(done.stdout.split())


def check_components(folder, prefix):
    has_uring = bool(list(prefix.glob("lib/**/libtrireme_uring.a")))
    has_sim = bool(list(prefix.glob("lib/**/libtrireme_sim.a")))
    for component, said in (("sim", "" if has_sim else "was built without its component"),
                            ("uring", "" if has_uring else "was built without its component"),
                            ("sails", "trireme has no component 'sails', only: trireme,")):
        status, words = configure(
            folder / component, folder / f"build-{component}", prefix,
            f"find_package(trireme REQUIRED COMPONENTS trireme {component})\n"
            f"get_target_property(type trireme::{component} TYPE)\n")
        if (status == 0) != (said == "") or said not in words:
            sys.exit(f"find_package(... COMPONENTS {component}): {status}: {words}")
    status, words = configure(folder / "maybe", folder / "build-maybe", prefix,
                              "find_package(trireme REQUIRED OPTIONAL_COMPONENTS sails)\n")
    if status != 0:
        sys.exit(f"an optional component is required: {words}")


def check_simulator(folder, prefix):
    """The tutorial of docs/simulator.md, as a project of its own beside the component uring."""
    if not list(prefix.glob("lib/**/libtrireme_sim.a")):
        return
    page = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
    source = folder / "tickets"
    source.mkdir()
    _, lists, _ = next(documents.blocks(page, "cmake"))
    _, program, _ = next(documents.blocks(page, "cpp"))
    if list(prefix.glob("lib/**/libtrireme_uring.a")):
        lists = lists.replace("COMPONENTS sim", "COMPONENTS sim uring")
        lists += "target_link_libraries(ticket_seeds PRIVATE trireme::uring)\n"
    (source / "CMakeLists.txt").write_text(lists, encoding="utf-8")
    (source / "ticket_seeds.cc").write_text(program, encoding="utf-8")
    status, words = configure(source, folder / "build-tickets", prefix)
    if status != 0:
        sys.exit(words)
    run("cmake", "--build", folder / "build-tickets")
    seeds = folder / "build-tickets" / "ticket_seeds"
    found = subprocess.run([seeds], text=True, stderr=subprocess.PIPE, check=False)
    if found.returncode != 1 or "smallest plan: 2 of 5 clients, 0 of" not in found.stderr:
        sys.exit(f"the tutorial of the simulator: {found.returncode}: {found.stderr}")
    plan = re.search(r"TRIREME_SIM_PLAN='([^']*)'", found.stderr)[1]
    again = subprocess.run([seeds], text=True, stderr=subprocess.PIPE, check=False,
                           env={**os.environ, "TRIREME_SIM_PLAN": plan})
    if again.returncode != 1 or "a ticket was sold twice" not in again.stderr:
        sys.exit(f"the plan of the simulator does not repeat: {again.stderr}")
    run(seeds, "--repaired")


def check_files(folder, prefix):
    for wanted in ("share/doc/trireme/LICENSE", "share/man/man1/trireme.1",
                   "share/doc/trireme/examples/01_echo.cc"):
        if not (prefix / wanted).is_file():
            sys.exit(f"{wanted} is not installed")
    status, words = configure(prefix / "share/doc/trireme/examples", folder / "build-examples",
                              prefix)
    if status != 0:
        sys.exit(f"the installed examples: {words}")


def check_plugin(folder, prefix):
    source = folder / "plugin"
    source.mkdir()
    (source / "plugin.cc").write_text(PLUGIN, encoding="utf-8")
    status, words = configure(
        source, folder / "build-plugin", prefix,
        "find_package(trireme REQUIRED)\nadd_library(plugin MODULE plugin.cc)\n"
        "target_link_libraries(plugin PRIVATE trireme::trireme)\n")
    if status != 0:
        sys.exit(words)
    run("cmake", "--build", folder / "build-plugin")
    if ctypes.CDLL(str(folder / "build-plugin" / "libplugin.so")).starts_a_server() != 1:
        sys.exit("the server of a plugin does not start")


def main():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run("cmake", "--install", sys.argv[1], "--prefix", folder / "prefix")
        source = folder / "source"
        source.mkdir()
        _, lists, _ = next(documents.blocks(readme, "cmake"))
        _, server, _ = next(documents.blocks(readme, "cpp"))
        (source / "CMakeLists.txt").write_text(lists, encoding="utf-8")
        (source / "my_server.cc").write_text(server, encoding="utf-8")
        compiler = os.environ.get("CXX", "c++")
        run("cmake", "-S", source, "-B", folder / "build", f"-DCMAKE_CXX_COMPILER={compiler}",
            f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}", f"-DCMAKE_CXX_FLAGS={WARNINGS}")
        run("cmake", "--build", folder / "build")
        if not (folder / "build" / "my_server").is_file():
            sys.exit("no server was built")
        if not list((folder / "prefix").glob("lib/**/pkgconfig/trireme.pc")):
            sys.exit("no file for pkg-config was installed")
        check_files(folder, folder / "prefix")
        check_components(folder, folder / "prefix")
        check_simulator(folder, folder / "prefix")
        check_plugin(folder, folder / "prefix")
    return 0


if __name__ == "__main__":
    sys.exit(main())
