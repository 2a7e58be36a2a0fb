"""Holds what is written as JSON to the schema in the package."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from handshake.record import schema

OUTPUTS: Final = {
    "list": "record",
    "replay": "step",
    "probe": "probe",
    "demo": "lesson",
    "craft": "packet",
    "decode": "packet",
    "serve": "step",
}
"""What each command writes a line of, by its name in the schema."""


@cache
def _validator(name: str) -> Any:
    whole = schema()
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})


def valid(found: object, name: str) -> None:
    """Fail if `found`, written as JSON, does not match the schema's `name`."""
    errors = [
        f"{error.json_path}: {error.message[:200]}"
        for error in _validator(name).iter_errors(json.loads(json.dumps(found)))
    ]
    assert not errors, errors
