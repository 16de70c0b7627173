#!/usr/bin/env python3
"""Lists every page and every header with its first sentence. Usage: scripts/docs.py OUTPUT.md"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def first_sentence(text):
    text = re.sub(r"\s+", " ", text).strip()
    return re.split(r"(?<=\.) ", text)[0]


def of_page(path):
    """The title of a page and the first sentence under it."""
    text = path.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.M)
    paragraph = re.search(r"^(?![#|`<\[!-])\S.*(?:\n\S.*)*", text, re.M)
    return (title.group(1) if title else path.name,
            first_sentence(paragraph.group()) if paragraph else "")


def of_header(path):
    """The first sentence of the comment with which every header begins."""
    comment = re.match(r"(?://.*\n)+", path.read_text(encoding="utf-8"))
    return first_sentence(re.sub(r"^// ?", "", comment.group(), flags=re.M)) if comment else ""


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    output = pathlib.Path(sys.argv[1]).resolve()
    output.parent.mkdir(parents=True, exist_ok=True)

    def link(path):
        return os.path.relpath(path, output.parent)

    lines = ["# Trireme: pages and headers", "", "## Pages", ""]
    for page in sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")):
        title, sentence = of_page(page)
        lines.append(f"- [{title}]({link(page)}): {sentence}")
    for heading, pattern in (("Public headers", "include/**/*.h"),
                             ("Components", "components/**/*.h")):
        lines += ["", f"## {heading}", ""]
        for header in sorted(ROOT.glob(pattern)):
            name = header.relative_to(ROOT).as_posix()
            lines.append(f"- [`{name}`]({link(header)}): {of_header(header)}")
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
