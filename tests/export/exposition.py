"""Prometheus' text format, version 0.0.4, read more strictly than any server would."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
_LABELS = re.compile(_LABEL)
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\[\\n])+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (gauge)")
_SAMPLE = re.compile(rf"({_NAME})\{{({_LABEL}(?:,{_LABEL})*)\}} ({_NUMBER})")


class Family(NamedTuple):
    words: str
    samples: dict[tuple[tuple[str, str], ...], float]


def parse(text: str) -> dict[str, Family]:
    """Return each family: HELP, TYPE and its samples, which stand together and each once."""
    text.encode("utf-8")
    assert text == "" or text.endswith("\n")
    found: dict[str, Family] = {}
    lines = text.split("\n")[:-1]
    while lines:
        title, kind = _HELP.fullmatch(lines.pop(0)), _TYPE.fullmatch(lines.pop(0))
        assert title is not None
        assert kind is not None
        assert title[1] == kind[1]
        assert title[1] not in found
        family = found[title[1]] = Family(title[2], {})
        while lines and not lines[0].startswith("#"):
            sample = _SAMPLE.fullmatch(lines.pop(0))
            assert sample is not None
            assert sample[1] == title[1]
            labels = tuple((name, _plain(value)) for name, value in _LABELS.findall(sample[2]))
            assert len(dict(labels)) == len(labels)
            assert labels not in family.samples
            family.samples[labels] = float(sample[sample.re.groups])
        assert family.samples, "a family without samples"
    return found


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)
