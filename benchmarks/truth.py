"""Compares records with the truth about a generated capture.

    python benchmarks/truth.py RECORDS.jsonl TRUTH.jsonl

Prints how many are right; exits with 1 if one is wrong, missing, or not expected.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def check(output: Path, truth: Path) -> str:
    """Compare the records with the truth; exit if one is wrong."""
    expected: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    with truth.open(encoding="utf-8") as lines:
        for each in map(json.loads, lines):
            expected[*each.pop("ends")].append(each)
    count, wrong = 0, []
    with output.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            count += 1
            ends = record["client"], record["server"]
            key = tuple(value for end in ends for value in (end["address"], end["port"]))
            known = expected.get(key, [])
            found = next((each for each in known if each["iss"] in (None, ends[0]["iss"])), None)
            if found is None:
                wrong.append(f"{key}: not there")
                continue
            known.remove(found)
            wrong += [
                f"{key}: {name} {actual(record, name)}, not {value}"
                for name, value in found.items()
                if name != "iss" and value is not None and actual(record, name) != value
            ]
    missing = sum(map(len, expected.values()))
    if wrong or missing:
        shown = "\n  ".join(wrong[:10])
        raise SystemExit(f"{len(wrong)} wrong, {missing} missing of {count}\n  {shown}")
    return f"all {count} records are right"


def actual(record: dict[str, Any], name: str) -> Any:
    """Return what a record says: of each end, for what ends have."""
    if name == "rtt":
        return record["handshake"]["rtt"]
    if name in record["client"]:
        return [record[end][name] for end in ("client", "server")]
    return record[name]


if __name__ == "__main__":
    print(check(Path(sys.argv[1]), Path(sys.argv[2])))
