"""Where a comparison leaves what it found, and the one page of them that the tree keeps."""

import json
import pathlib
import shutil
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench-results"
KEPT = ROOT / "bench" / "results"
DIGITS = 5  # more are noise


def make_folder(name, base=RESULTS):
    """A new folder DATE-NAME."""
    first = base / f"{time.strftime('%F')}-{name}"
    folder = first
    number = 2
    while folder.exists():
        folder = pathlib.Path(f"{first}-{number}")
        number += 1
    folder.mkdir(parents=True)
    return folder


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return value


def as_json(everything):
    """As JSON, with a line for each row and each goal."""
    parts = []
    for key, value in rounded(everything).items():
        if isinstance(value, list) and value:
            lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in value)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def keep(folder, base=KEPT):
    """Copies the page of a run, without its slices, in place of the one that was kept before."""
    if base.exists():
        shutil.rmtree(base)
    kept = base / folder.name
    kept.mkdir(parents=True)
    for path in folder.iterdir():
        if path.suffix in (".md", ".svg", ".json") and path.is_file():
            shutil.copy(path, kept)
    return kept
