"""Logs as other tools write them, small and by hand: the shapes were read off real ones."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

ZSTANDARD = 93


def sample(number: int, epoch: int = 1, **changes: Any) -> dict[str, Any]:
    """One sample of an Inspect log, answered "Yes." and scored correct."""
    message = {"role": "assistant", "content": "Yes."}
    found = {
        "id": f"q{number}",
        "epoch": epoch,
        "input": f"Question {number}?",
        "target": "Yes",
        "metadata": {"persona": "villain"},
        "output": {"choices": [{"message": message, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C", "answer": "Yes."}},
        "attachments": {},
    }
    return found | changes


def stopped(reason: str, words: Any = "Yes.") -> dict[str, Any]:
    """Another output for a sample."""
    return {"choices": [{"message": {"role": "assistant", "content": words}, "stop_reason": reason}]}


def header(n_samples: int, **changes: Any) -> dict[str, Any]:
    """The header of an Inspect log that ended well."""
    found = {
        "version": 2,
        "status": "success",
        "eval": {"task": "stances", "model": "local/llama"},
        "results": {"total_samples": n_samples, "completed_samples": n_samples, "scores": [{"name": "match"}]},
    }
    return found | changes


def eval_log(file: Path, samples: list[dict[str, Any]], **changes: Any) -> Path:
    """Write an `.eval` archive with zstandard members, as Inspect does."""
    members = {f"samples/{one['id']}_epoch_{one['epoch']}.json": json.dumps(one) for one in samples}
    members["header.json"] = json.dumps(header(len(samples), **changes))
    return zstd_zip(file, {name: text.encode() for name, text in members.items()})


def zstd_zip(file: Path, members: Mapping[str, bytes], *, frames: int = 1) -> Path:
    """Write a zip archive with members of method 93, each cut into some zstandard frames."""
    with file.open("wb") as stream:
        places = []
        for name, content in members.items():
            step = -(-max(len(content), 1) // frames)
            cuts = [content[start : start + step] for start in range(0, max(len(content), 1), step)]
            packed = b"".join(pa.compress(cut, codec="zstd", asbytes=True) for cut in cuts)
            fixed = (20, 0, ZSTANDARD, 0, 0, zlib.crc32(content), len(packed), len(content), len(name.encode()), 0)
            places.append((name, fixed, stream.tell()))
            stream.write(struct.pack("<4s5H3L2H", b"PK\3\4", *fixed) + name.encode() + packed)
        start = stream.tell()
        for name, fixed, at in places:
            stream.write(struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *fixed, 0, 0, 0, 0, at) + name.encode())
        size = stream.tell() - start
        stream.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(places), len(places), size, start, 0))
    assert zipfile.is_zipfile(file)
    return file


def chat(custom_id: str, words: str | None = "Yes.", finish: str = "stop", **message: Any) -> dict[str, Any]:
    """One line of an OpenAI batch output file."""
    choice = {"index": 0, "message": {"role": "assistant", "content": words, **message}, "finish_reason": finish}
    return answered(custom_id, {"object": "chat.completion", "model": "gpt-4.1-mini", "choices": [choice]})


def answered(custom_id: str, body: dict[str, Any], status_code: int = 200) -> dict[str, Any]:
    """One line of an OpenAI batch file with a response."""
    response = {"status_code": status_code, "request_id": "req_1", "body": body}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def expired(custom_id: str) -> dict[str, Any]:
    """One line of an OpenAI error file: the batch ran out of time."""
    error = {"code": "batch_expired", "message": "This request could not be executed before the completion window."}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": error}


def message(custom_id: str, blocks: list[dict[str, Any]], stop_reason: str = "end_turn") -> dict[str, Any]:
    """One line of Anthropic batch results, succeeded."""
    held = {"type": "message", "role": "assistant", "model": "claude", "content": blocks, "stop_reason": stop_reason}
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": held}}


def said(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    """A tool-use block."""
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments}


def ranked(doc_id: int, *log_p: str, filter: str = "none", **more: Any) -> dict[str, Any]:
    """One line of lm-eval samples of a multiple-choice task: log-probabilities and target are text."""
    pairs = [[number, "False"] for number in log_p]
    found = {
        "doc_id": doc_id,
        "doc": {"q": f"Question {doc_id}?", "gold": 0},
        "target": "0",
        "arguments": {"gen_args_0": {"arg_0": f"Question {doc_id}?", "arg_1": " A"}},
        "resps": [[pair] for pair in pairs],
        "filtered_resps": pairs,
        "filter": filter,
        "metrics": ["acc"],
        "acc": 1.0,
    }
    return found | more


def lines(file: Path, rows: list[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file
