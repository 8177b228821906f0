"""What is wrong with a file of settings, in sentences: each with its place, the value, and the nearest that is right.

The validation itself is that of `geoseg.config`. What a value should have been is read from the JSON schema of the
same models, so that the alternatives of one key ("a number above 0, or auto") make one sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from geoseg.io.yaml_file import Place, Positions

MAX_COMPLAINTS = 40
Schema = Mapping[str, Any]

_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "null"}
_LIMITS = {
    "exclusiveMinimum": "above",
    "minimum": "not below",
    "exclusiveMaximum": "below",
    "maximum": "not above",
}
_SAYS_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def complaints(
    path: object, errors: Sequence[Mapping[str, Any]], schema: Schema, data: Any, positions: Positions
) -> str:
    """One line for each fault in `data`, read from `path`, in the order of the file.

    Args:
        path: the file, as the person named it.
        errors: pydantic's own list of errors.
        schema: JSON schema of the model the data were checked against.
        data, positions: what `read_yaml` gave.
    """
    faults: dict[tuple[Place, str], tuple[int, int]] = {}
    for error in errors:
        place = _place(error, data)
        if _is_other_branch(error, place, schema, data):
            continue
        message, on_key = _sentence(error, place, schema, data)
        faults.setdefault((place, message), positions.key(place) if on_key else positions.value(place))
    lines = [
        f"{path}:{line}:{column}  {_dotted(place)}{message}"
        for (place, message), (line, column) in sorted(faults.items(), key=lambda fault: fault[1])
    ]
    more = [f"and {len(lines) - MAX_COMPLAINTS} more"] if len(lines) > MAX_COMPLAINTS else []
    return "\n".join(lines[:MAX_COMPLAINTS] + more)


def _place(error: Mapping[str, Any], data: Any) -> Place:
    """The keys and indices in an error's location, without the names pydantic adds for alternatives."""
    place: Place = ()
    for step in error["loc"]:
        if (isinstance(data, dict) and step in data) or (isinstance(data, list) and step in range(len(data))):
            place, data = (*place, step), data[step]
    lacks = error["type"] == "missing" and isinstance(error["loc"][-1], str)  # else a tuple that lacks its last items
    return (*place, error["loc"][-1]) if lacks else place


def _is_other_branch(error: Mapping[str, Any], place: Place, schema: Schema, data: Any) -> bool:
    """Whether the error only says that a list or section is not one of the other forms its key may take."""
    value = _at(data, place)
    wanted = {"dict": "object", "list": "array"}.get(type(value).__name__)
    if wanted is None or not (error["type"].endswith("_type") or error["type"] == "literal_error"):
        return False
    return any(branch.get("type") == wanted for branch in _schemas_at(schema, place, data))


def _sentence(error: Mapping[str, Any], place: Place, schema: Schema, data: Any) -> tuple[str, bool]:
    """What to say of one error, and whether it is about the key (else about the value)."""
    kind = error["type"]
    known = sorted({k for s in _schemas_at(schema, place[:-1], data) for k in s.get("properties", {})})
    if kind == "missing" and isinstance(error["loc"][-1], str):
        return "this key is missing" + _meaning(schema, place, data), False
    if kind == "extra_forbidden":
        guess = nearest(str(place[-1]), known)
        return f"unknown key; {guess or 'known here: ' + ', '.join(known)}", True
    if kind == "value_error":
        return str(error["ctx"]["error"]), "[key]" in error["loc"]  # a sentence of our own, from geoseg.config
    if "[key]" in error["loc"]:
        return f"{_shown(place[-1])} cannot be a name here; use 1 to 64 letters", True
    value = _at(data, place)
    branches = list(_schemas_at(schema, place, data))
    if value is None:
        return f"nothing is given; it must be {_either(branches)}, or remove the key", False
    return f"must be {_either(branches)}, not {_shown(value)}{_advice(value, branches)}", False


def nearest(word: str, known: Iterable[str]) -> str:
    """ "did you mean x?" for the known words most like `word`, or nothing."""
    near = difflib.get_close_matches(word.lower(), list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _advice(value: object, branches: Sequence[Schema]) -> str:
    if not isinstance(value, str):
        return _nearest_multiple(value, branches)
    words = [w for b in branches for w in (*b.get("enum", ()), *([b["const"]] if "const" in b else ()))]
    if any(b.get("type") == "boolean" for b in branches) and value.lower() in _SAYS_NO:
        return f"; did you mean {_SAYS_NO[value.lower()]}?"
    guess = nearest(value, [str(w) for w in words])
    return f"; {guess}" if guess else ""


def _nearest_multiple(value: object, branches: Sequence[Schema]) -> str:
    for branch in branches:
        step = branch.get("multipleOf")
        if step and isinstance(value, int) and not isinstance(value, bool):
            low, high = max(branch.get("minimum", step), step), branch["maximum"]
            near = {min(max(n, low), high) for n in (value // step * step, -(-value // step) * step)}
            return f"; use {' or '.join(str(n) for n in sorted(near))}"
    return ""


def _either(branches: Sequence[Schema]) -> str:
    """The forms a value may take, as "a, b or c"; null is not offered: leaving the key out says the same."""
    forms = list(dict.fromkeys(_form(b) for b in branches if b.get("type") != "null"))
    return " or ".join(filter(None, (", ".join(forms[:-1]), *forms[-1:])))


def _form(schema: Schema) -> str:
    words = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if words:
        return f"one of {', '.join(map(str, words))}" if len(words) > 1 else str(words[0])
    kind = schema.get("type")
    if kind == "array":
        count = len(schema.get("prefixItems", ()))
        return f"a list of {count} values, [a, b, ...]" if count else "a list, such as [a, b]"
    if kind == "object":
        return f"keys with values ({', '.join(list(schema.get('properties', {'name': 0}))[:4])}: ...)"
    return _text_form(schema) if kind == "string" else _number_form(schema)


def _number_form(schema: Schema) -> str:
    step = schema.get("multipleOf")
    noun = f"a multiple of {step}" if step else _TYPES.get(str(schema.get("type")), "a value")
    if "minimum" in schema and "maximum" in schema:
        return f"{noun} from {schema['minimum']} to {schema['maximum']}"
    limits = [f"{words} {schema[key]:.10g}" for key, words in _LIMITS.items() if key in schema]
    return f"{noun} {' and '.join(limits)}".strip()


def _text_form(schema: Schema) -> str:
    if "#" in schema.get("pattern", ""):
        return "a colour such as '#1f77b4' (six digits 0-9 a-f, in quotes)"
    if "A-F0-9" in schema.get("pattern", "") or "0-9a-f" in schema.get("pattern", ""):
        return "a SHA-256 (64 digits 0-9 a-f)"
    if "A-Za-z0-9" in schema.get("pattern", ""):
        return "a name (A-Z, a-z, 0-9, _ . and -)"
    longest = f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    return f"one line of text{longest}" if "pattern" in schema else f"text{longest}"


def _meaning(schema: Schema, place: Place, data: Any) -> str:
    parent = next((s for s in _schemas_at(schema, place[:-1], data) if place[-1] in s.get("properties", {})), {})
    said = parent.get("properties", {}).get(place[-1], {}).get("description")
    return f": {said}" if said else ""


def _schemas_at(schema: Schema, place: Place, data: Any) -> Iterator[Schema]:
    """The schemas, alternatives side by side, that the value at `place` may follow."""
    level = list(_alternatives(schema, schema))
    for step in place:
        level = [a for s in level for child in _children(s, step) for a in _alternatives(child, schema)]
    return iter(level)


def _children(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, str):
        if step in schema.get("properties", {}):
            yield schema["properties"][step]
        elif isinstance(schema.get("additionalProperties"), dict):
            yield schema["additionalProperties"]
    elif step < len(schema.get("prefixItems", ())):
        yield schema["prefixItems"][step]
    elif isinstance(schema.get("items"), dict):
        yield schema["items"]


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _alternatives(branch, root)
    else:
        yield schema


def _at(data: Any, place: Place) -> Any:
    for step in place:
        if isinstance(data, dict):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list" if len(str(value)) > 40 else str(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}...{text[0] if text[0] in chr(39) + chr(34) else ''}"


def _dotted(place: Place) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step[:60]}" if text else step[:60]
    return f"{text}: " if text else ""
