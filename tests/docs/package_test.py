#!/usr/bin/env python3
"""The CMake package works as README.md says. Usage: package_test.py BUILD-FOLDER

Goal: `find_package(trireme)` and the two blocks of the README are all that a stranger needs.
Method: install the build into an empty folder, take CMakeLists.txt and the server out of the
README, configure and build them there, ask pkg-config's file for its flags.
"""

import os
import pathlib
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
            f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}")
        run("cmake", "--build", folder / "build")
        if not (folder / "build" / "my_server").is_file():
            sys.exit("no server was built")
        if not list((folder / "prefix").glob("lib/**/pkgconfig/trireme.pc")):
            sys.exit("no file for pkg-config was installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
