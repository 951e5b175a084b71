"""The JSON Schema of a plan, made of the same classes that read it: what an editor completes and explains."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from seedlock.prereg.base.paths import HOME
from seedlock.prereg.plan.plan import Plan

FILE = "plan.schema.json"
LINE = f"#:schema ../../{FILE}"
"""First line of a scaffold's plan.toml, from its place to the schema's beside `prereg/studies/`."""
KINDS: Mapping[tuple[str, str], str] = {
    ("Measure", "kind"): "analysis/measures",
    ("Hypothesis", "test"): "analysis/estimators",
    ("Gate", "test"): "analysis/estimators",
    ("Import", "format"): "generation/importers",
    ("Judged", "format"): "generation/importers",
    ("Decoding", "backend"): "generation/backends",
}
"""Keys whose value names a file of a folder."""
SECTION = re.compile(r"^(Parameters|Attributes)\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", re.DOTALL | re.MULTILINE)
ENTRY = re.compile(r"^(\w[\w, ]*)\n((?: +.*\n?|\n)+)", re.MULTILINE)


def plan_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `plan.toml`, every table and key with what its class says of it."""
    schema = Plan.model_json_schema(by_alias=True)
    for name, table in schema["$defs"].items():
        for key, field in table.get("properties", {}).items():
            field.pop("title", None)
            if (name, key) in KINDS:
                field["enum"] = _files(KINDS[name, key])
    for model in _tables(Plan):
        table = schema if model is Plan else schema["$defs"].get(model.__name__, {})
        _also_a_word(model, table)
        properties = table.get("properties", {})
        for key, said in _said(model).items():
            if key in properties:
                properties[key]["description"] = said
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A Seedlock plan"}


def _also_a_word(model: type[BaseModel], table: dict[str, Any]) -> None:
    """Let a text stand where the class takes one and makes a list or a table of it (`items = "open"`)."""
    for found in model.__pydantic_decorators__.field_validators.values():
        for key in found.info.fields if found.info.mode == "before" else ():
            field = table["properties"][key]
            table["properties"][key] = {"anyOf": [{"type": "string"}, field], "default": field.get("default")}
    if any(found.info.mode == "before" for found in model.__pydantic_decorators__.model_validators.values()):
        whole = dict(table)
        table.clear()
        table |= {"anyOf": [{"type": "string"}, whole]}


def _files(folder: str) -> list[str]:
    """The names that a folder gives: one file each."""
    return sorted(path.stem for path in (HOME / folder).glob("*.py") if path.stem != "__init__")


def _tables(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> Iterator[type[BaseModel]]:
    """A table's class and those of every table in it."""
    seen = set() if seen is None else seen
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for inner in _classes(field.annotation):
            yield from _tables(inner, seen)


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    annotation = getattr(annotation, "__value__", annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _classes(argument)


def _said(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each key."""
    said: dict[str, str] = {}
    for one in reversed(model.__mro__):
        text = inspect.cleandoc(one.__doc__ or "") if issubclass(one, BaseModel) and one is not BaseModel else ""
        for section in SECTION.finditer(text):
            for names, words in ENTRY.findall(section[2]):
                said |= dict.fromkeys(re.split(r", *", names), " ".join(words.split()))
    return said
