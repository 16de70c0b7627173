"""Goal: an editor that knows a project by universal-ctags sees our functions. Method: of every
source of src and components, ctags must list as many functions as tidy.py counts blocks of.

Skipped with a sentence, and status 77, where there is no universal-ctags.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import tidy  # noqa: E402

SKIPPED = 77
FOUND_LEAST = 0.8  # of the blocks: ctags misses a few shapes of templates and annotations


def main():
    try:
        version = subprocess.run(["ctags", "--version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        version = ""
    if "Universal Ctags" not in version:
        print("there is no universal-ctags: nothing was looked at")
        return SKIPPED
    sources = sorted(file for folder in ("src", "components")
                     for file in (ROOT / folder).rglob("*.cc"))
    assert sources, "no sources"
    failed = 0
    for source in sources:
        listed = subprocess.run(
            ["ctags", "-f", "-", "--kinds-c++=f", source], capture_output=True, text=True,
            check=True).stdout.count("\n")
        there = len(list(tidy.function_blocks(source.read_text(encoding="utf-8"))))
        if listed < min(FOUND_LEAST * there, there - 1):
            print(f"{source.relative_to(ROOT)}: ctags lists {listed} functions of {there}")
            failed += 1
    print(f"{len(sources)} sources looked at")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
