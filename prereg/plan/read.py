"""Read `plan.toml`: every refusal at once, each with its key path, what was found and what is allowed."""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seedlock.prereg.base.json_shape import is_deeper_than
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.cross_references import cross_check
from seedlock.prereg.plan.default_test import with_tests
from seedlock.prereg.plan.judges import KINDS
from seedlock.prereg.plan.plan import Plan

_LONG_KEY = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){65}")
MAX_INTEGER = 2**53 - 1
MAX_PLAN_BYTES = 4 * 1024 * 1024
_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def read_plan(path: Path) -> Plan:
    """Parse the plan at `path`.

    Raises
    ------
    BadInput
        With one finding for every fault of the file.
    """
    if not os.path.lexists(path):
        raise BadInput(
            f"there is no plan at {path.name}",
            Finding(where=str(path), found="no such file", promised="a TOML plan"),
            then="seedlock init DIR  writes a filled-in example",
        )
    return parse_plan(read_regular(path, limit=MAX_PLAN_BYTES), path)


@lru_cache(maxsize=64)
def parse_plan(data: bytes, path: Path) -> Plan:
    """Parse plan bytes, once however often a command asks: plans are frozen. `path` is for messages only."""
    plan = parse_as(Plan, data, path)
    if faults := cross_check(plan):
        raise _refused(path, faults)
    return with_tests(plan)


def parse_as[Whole: BaseModel](whole: type[Whole], data: bytes, path: Path) -> Whole:
    """Parse plan bytes as the tables of `whole`.

    Raises
    ------
    BadInput
        With one finding for every fault of the file.
    """
    document = parse_toml(data, path)
    faults = list(_text_faults(document, ""))
    if faults:
        raise _refused(path, faults)
    try:
        return whole.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _refused(path, [_explain(fault, whole) for fault in error.errors()]) from None


def _refused(path: Path, faults: list[Finding]) -> BadInput:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    name = f"{path.parent.name}/{path.name}"
    return BadInput(f"{name} has {count}", *faults, then=f"edit the plan, then  seedlock check {path.parent.name}")


def parse_toml(data: bytes, path: Path) -> dict[str, Any]:
    """The file's keys as TOML has them, whether or not they are a plan's."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise _refused(path, [Finding(where="byte 0", found="a byte order mark", promised="plain UTF-8")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fault = Finding(where=f"line {line}", found=f"byte 0x{data[error.start]:02x}", promised="UTF-8 text")
        raise _refused(path, [fault]) from None
    if _LONG_KEY.search(text):
        raise _refused(path, [Finding(where="TOML", found="a key of more than 64 parts", promised="a plan's keys")])
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, [Finding(where="TOML", found=str(error), promised="valid TOML 1.0")]) from None
    if is_deeper_than(document):
        raise _refused(path, [Finding(where="TOML", found="tables in tables in tables", promised="a plan's depth")])
    return document


def _text_faults(value: Any, where: str) -> Iterator[Finding]:
    """Text that could be read two ways, numbers JSON cannot carry, and dates (no field takes one)."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _string_faults(key, f"key {key!r}")
                yield from _text_faults(inner, f"{where}.{key}" if where else key)
        case list():
            for index, inner in enumerate(value):
                yield from _text_faults(inner, f"{where}[{index}]")
        case str():
            yield from _string_faults(value, where)
        case bool():
            return
        case int() if abs(value) > MAX_INTEGER:
            yield Finding(where=where, found=str(value), promised="an integer within +-(2^53 - 1)")
        case float() if not math.isfinite(value):
            yield Finding(where=where, found=str(value), promised="a finite number")
        case int() | float():
            return
        case _:
            yield Finding(where=where, found=f"{type(value).__name__} {value}", promised="text or a number")


def _string_faults(text: str, where: str) -> Iterator[Finding]:
    if not unicodedata.is_normalized("NFC", text):
        yield Finding(where=where, found=f"{text!r} (not NFC)", promised=f"{unicodedata.normalize('NFC', text)!r}")
    for char in text:
        is_control = unicodedata.category(char) == "Cc" and char not in "\n\t"
        if is_control or unicodedata.bidirectional(char) in _BIDI:
            yield Finding(where=where, found=f"U+{ord(char):04X}", promised="no control or bidi characters")
            return


def _explain(fault: Any, whole: type[BaseModel] = Plan) -> Finding:
    """One pydantic fault in a reader's words."""
    where = _key_path(_without_kind(fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            known = _known_keys(fault["loc"][:-1], whole)
            close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(sorted(known))}"
            return Finding(where=where, found="an unknown key", promised=hint)
        case "missing":
            return Finding(where=where, found="nothing", promised="this key is required")
        case "union_tag_not_found" | "union_tag_invalid":
            found = _short(fault["ctx"].get("tag", "nothing"))
            return Finding(where=f"{where}.kind", found=found, promised=" | ".join(KINDS))
        case "value_error":
            return Finding(where=where, found=_short(fault["input"]), promised=str(fault["ctx"]["error"]))
        case _:
            return Finding(where=where, found=_short(fault["input"]), promised=_plain(fault["msg"]))


def _plain(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."


def _without_kind(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place in the plan as it is written: pydantic puts the kind of a judge into the path to it."""
    return loc[:2] + loc[3:] if loc[:1] == ("judges",) else loc


def _key_path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(("function-", "list[", "dict[", "union")) and part not in {
            "str",
            "int",
            "float",
        }:
            path += f".{part}" if path else part
    return path


def _known_keys(loc: tuple[int | str, ...], whole: type[BaseModel] = Plan) -> list[str]:
    """Field names of the table that `loc` leads to."""
    kind: Any = whole
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = _unwrap(fields.get(str(part)))
        elif get_origin(kind) is dict:
            kind = _unwrap(get_args(kind)[1])
        elif get_origin(kind) is list:
            kind = _unwrap(get_args(kind)[0])
        elif get_origin(kind) in {Union, UnionType}:
            kind = next((one for one in get_args(kind) if part in get_args(one.model_fields["kind"].annotation)), None)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _unwrap(kind: Any) -> Any:
    if isinstance(kind, TypeAliasType):
        kind = kind.__value__
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in {Union, UnionType}:
        inner = [arg for arg in get_args(kind) if arg is not type(None)]
        if len(inner) > 1 and all(isinstance(arg, type) and issubclass(arg, BaseModel) for arg in inner):
            return kind
        return inner[0] if inner else None
    return kind
