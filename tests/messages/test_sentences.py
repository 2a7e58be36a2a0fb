"""Every code of the source has its sentence, every sentence its code, its sample and its golden.

`python -m tests.messages.samples` writes the golden files anew.
"""

from __future__ import annotations

import ast
import pickle
import re
import tomllib
from collections import defaultdict
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake import events as ev
from handshake import messages
from handshake.diagnosis import CODES as DIAGNOSES
from handshake.messages import FAMILIES
from handshake.tracker.findings import CODES
from handshake.tracker.findings.capture import COUNTED
from tests.messages.samples import (
    EVENTS,
    FINDINGS,
    GOLDEN,
    TRANSLATIONS,
    golden,
    place,
    samples,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = Path(messages.__file__).parents[1]


@cache
def trees() -> dict[Path, ast.Module]:
    """Return the source by its files; parsed once a test asks for it."""
    return {path: ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}


CLASSES: Final = [
    each
    for each in vars(ev).values()
    if isinstance(each, type) and issubclass(each, ev.Event) and each is not ev.Event
]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_sentence_is_as_it_was_read(family: str) -> None:
    assert golden(family) == (GOLDEN / f"{family}.txt").read_text("utf-8")
    assert {key for key, _ in samples(family)} == set(messages.table(family))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_is_whole_and_names_the_same_values(language: str, family: str) -> None:
    own, english = own_table(family, language), messages.table(family)
    assert set(own) == set(english)
    assert {code: named(text) for code, text in own.items()} == {
        code: named(text) for code, text in english.items()
    }
    assert golden(family, language) == place(family, language).read_text("utf-8")


def own_table(family: str, language: str) -> dict[str, str]:
    """Return the sentences of a language by code, as its file has them."""
    path = Path(messages.__file__).parent / language / f"{family}.toml"
    return dict(messages._flat(tomllib.loads(path.read_text("utf-8")), ""))


GRAMMAR: Final = frozenset({"many", "one"})
"""Values that say only whether something is one or several: many a language has no plural."""


def named(text: str) -> set[str]:
    """Return the values that a sentence names."""
    return set(NAMED.findall(text)) - GRAMMAR


@pytest.mark.parametrize("family", FAMILIES)
def test_the_korean_has_the_words_of_the_glossary(family: str) -> None:
    glossary = tomllib.loads((files("handshake.lessons") / "glossary.toml").read_text("utf-8"))
    texts = own_table(family, "ko")
    wrong = {
        code: each for code, text in texts.items() for each in glossary["instead"] if each in text
    }
    assert wrong == {}
    assert [code for code, text in texts.items() if is_left_in_english(text)] == []


def is_left_in_english(text: str) -> bool:
    """Whether there are words, and none is Korean."""
    plain = re.sub(r"\{[^{}]*\}", " ", text)
    return len(re.findall(r"\b[a-z]{3,}\b", plain)) > 2 and not re.search("[가-힣]", plain)


def test_the_words_of_the_screens_are_those_that_the_source_names() -> None:
    table, used = set(messages.table("screens")), set()
    for function, call in calls("say", "_words"):
        match argument(call, 0):
            case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
                found = {each for each in table if each.startswith(prefix)}
                assert found, prefix
                used |= found
            case code:
                used |= possible(code, function)
    # An end by its name; what each page of help explains.
    ends = {"client", "server"}
    pages = ("list", "servers", "comparison", "connection")
    help_tables = (
        *(f"{each}-keys." for each in pages),
        "list-marks.",
        "ladder-marks.",
        "watch-marks.",
    )
    used |= {each for each in table if each.startswith(help_tables)} | ends
    assert used == table


NAMED: Final = re.compile(r"\{([\w.]+)")


def test_every_event_has_a_sample_and_a_code_of_its_own() -> None:
    assert {type(each) for each in EVENTS} == set(CLASSES)
    assert len({each.code for each in CLASSES}) == len(CLASSES)
    assert all(each.section for each in CLASSES)


def test_the_sentences_of_events_are_those_that_the_classes_name() -> None:
    named = {
        f"{code}.{variant}" if variant else code
        for path, tree in trees().items()
        if path.parent.name == "events"
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef)
        for keyword in each.keywords
        if keyword.arg == "code"
        for code in strings(keyword.value)
        for variant in variants(each)
    }
    assert named == set(messages.table("events"))


def variants(event: ast.ClassDef) -> set[str]:
    """Return what the property `variant` of an event may return."""
    returned = {
        text
        for each in event.body
        if isinstance(each, ast.FunctionDef) and each.name == "variant"
        for line in ast.walk(each)
        if isinstance(line, ast.Return) and line.value is not None
        for text in strings(line.value)
    }
    return returned or {""}


def strings(node: ast.expr) -> set[str]:
    """Return the strings in an expression, but for those that it only compares."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=body, orelse=orelse):
            return strings(body) | strings(orelse)
        case ast.Tuple(elts=elements):
            return set().union(*map(strings, elements))
        case ast.Subscript(value=value):
            return strings(value)
    return set()


def calls(*names: str) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    """Yield each call of a function of one of these names, and the function that it is in."""
    for name in names:
        yield from all_calls()[name]


@cache
def all_calls() -> dict[str, list[tuple[ast.FunctionDef, ast.Call]]]:
    """Return the calls of each function of the source by its name, and where they are."""
    found: dict[str, list[tuple[ast.FunctionDef, ast.Call]]] = defaultdict(list)
    for tree in trees().values():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for each in ast.walk(function):
                    if isinstance(each, ast.Call):
                        called = getattr(each.func, "id", None) or getattr(each.func, "attr", None)
                        found[str(called)].append((function, each))
    return found


@cache
def constants() -> dict[str, set[str]]:
    """Return the strings that a module names for all."""
    return {
        each.target.id: strings(each.value)
        for tree in trees().values()
        for each in tree.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value
    }


def possible(node: ast.expr | None, function: ast.FunctionDef) -> set[str]:
    """Return the strings that an argument may be: written there, or given a name before."""
    if not isinstance(node, ast.Name):
        return set() if node is None else strings(node)
    assigned = [
        strings(each.value)
        for each in ast.walk(function)
        if isinstance(each, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == node.id for target in each.targets)
    ]
    return set().union(*assigned) or constants().get(node.id, set())


def argument(call: ast.Call, place: int, name: str = "") -> ast.expr | None:
    """Return an argument by its place or its name."""
    by_name = (each.value for each in call.keywords if name and each.arg == name)
    return call.args[place] if len(call.args) > place else next(by_name, None)


def test_the_sentences_of_findings_are_those_that_the_source_names() -> None:
    named = set()
    for function, call in calls("Finding", "_keep"):
        if function.name == "note":
            continue  # of another family
        codes = possible(argument(call, 0, "code"), function)
        variant = argument(call, 3, "variant")
        assert variant is None or possible(variant, function), ast.unparse(call)
        for code, each in product(codes, possible(variant, function) or {""}):
            named.add(f"{code}.{each}" if each else code)
    assert named == set(messages.table("findings"))
    assert {key.partition(".")[0] for key in named} >= set(CODES)


def test_the_sentences_of_reasons_are_those_that_the_source_names() -> None:
    named = {f"outcome.{each}" for each in COUNTED}
    for function, call in calls("_because"):
        named |= {f"unacceptable.{code}" for code in possible(call.args[0], function)}
    for function, call in calls("Message"):
        if "reasons" in strings(call.args[0]):
            named |= possible(argument(call, 1, "code"), function)
    assert named == set(messages.table("reasons"))


def test_the_sentences_of_notes_are_those_that_the_source_names() -> None:
    named = set()
    for function, call in calls("note", "add"):
        variants = possible(argument(call, 1), function) or {""}
        for code, each in product(possible(argument(call, 0), function), variants):
            named.add(f"{code}.{each}" if each else code)
    assert named == set(messages.table("notes"))


def test_the_sentences_of_verdicts_are_those_that_the_source_names() -> None:
    named = set()
    for function, call in calls("verdict_message"):
        match argument(call, 0):
            case ast.JoinedStr(
                values=[ast.Constant(value=str(prefix)), ast.FormattedValue(value=rest)]
            ):
                named |= {f"{prefix}{each}" for each in possible(rest, function)}
            case code:
                named |= possible(code, function)
    assert named == set(messages.table("verdicts"))


def test_the_sentences_of_probes_are_those_that_the_source_names() -> None:
    named = set()
    for function, call in calls("probe_message", "_say", "_said"):
        match argument(call, 0):
            case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
                # The rest is a name of the program's own, as a verdict: each has its sentence.
                named |= {each for each in messages.table("probe") if each.startswith(prefix)}
            case code:
                named |= possible(code, function)
    others = ("label.", "ladder.", "many.un")
    labels = {each for each in messages.table("probe") if each.startswith(others)}
    assert named | labels == set(messages.table("probe"))


def test_the_sentences_of_problems_are_those_that_the_source_names() -> None:
    named = {
        code for function, call in calls("Problem") for code in possible(call.args[0], function)
    }
    words = {
        f"page.{code}"
        for function, call in calls("_word")
        for code in possible(call.args[0], function)
    }
    sent = {
        f"sent.{code}"
        for function, call in calls("_sent")
        for code in possible(call.args[0], function)
    }
    assert named | words | sent == set(messages.table("problems"))


def test_evidence_fits_on_the_line_of_its_label() -> None:
    assert [
        text for key, text in samples("probe") if key.startswith("evidence.") and len(text) > 69
    ] == []


def test_the_sentences_of_diagnoses_are_those_that_the_source_names() -> None:
    claimed = {
        code for function, call in calls("Claim") for code in possible(call.args[0], function)
    }
    ruled_out = {
        code for function, call in calls("RuledOut") for code in possible(call.args[0], function)
    }
    assert claimed == set(DIAGNOSES)
    named = {f"{code}.{each}" for code in claimed for each in ("text", "next")}
    assert named | {f"ruled-out.{code}" for code in ruled_out} == set(messages.table("diagnosis"))


def test_a_finding_is_a_value() -> None:
    for each in FINDINGS:
        assert pickle.loads(pickle.dumps(each)) == each
        assert hash(each) == hash(replace(each))
        found = each.as_json()
        assert (found["code"], found["frame"], found["text"]) == (each.code, each.frame, each.text)
        assert found["certainty"] in ("proven", "likely", "possible")
