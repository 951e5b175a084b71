"""Read the logs that Inspect writes: `.eval`, a zip archive of one JSON member a sample, or one `.json` document.

Columns are dotted paths into a sample (`id`, `epoch`, `target`, `metadata.KEY`, `scores.SCORER.value`), and

- `log.PATH`: into the log's header (`log.eval.model`, `log.eval.task`), alike for all its samples;
- `text`: the words of the model's answer; `question`: those of the last user message before it;
- `draw`: the epoch counted from 0;
- `numbers.SCORER`: the score as a number (correct 1, partial 0.5, incorrect 0, yes 1, no 0). "No answer" (N), which
  Inspect's metrics count as 0, is no score here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import objects_in, readable
from seedlock.generation.intake.json_documents import json_documents
from seedlock.generation.intake.json_lines import Unreadable, require_few_values, shown
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import Record, at_path, record_batches
from seedlock.generation.intake.zip_members import Archive, BadMember, open_archive
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.statuses import Status

HEADER = "header.json"
SAMPLES = "samples/"
ATTACHMENT = "attachment://"
AGAIN = "finish it with Inspect's  inspect eval-retry LOG,  or name another log"
STOPPED: dict[str, tuple[Status, str] | None] = {
    "stop": None,
    "tool_calls": None,
    "unknown": None,  # what Inspect's local providers say of every answer
    "max_tokens": ("cut off", "max_tokens"),
    "model_length": ("cut off", "model_length"),
    "content_filter": ("refusal", "content_filter"),
}
NO_ANSWER = "N"
SHOWN_BYTES = 2**20
"""Most of a member that is no JSON that goes into the quarantine."""
NUMBERS = {"C": 1.0, "I": 0.0, "P": 0.5}
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of every sample; a row's number is its place in the archive.

    A sample that failed, was invalidated or hit a limit is a row with that status; so is one whose wanted score
    is absent or was left undecided by its scorer (Inspect writes NaN).

    Raises
    ------
    BadInput
        Not an Inspect log; a run that did not end in success, or with fewer samples than it planned; a column of
        scores where nothing was scored; a wanted column that leads nowhere.
    """
    wanted = sorted({tuple(name.split(".")[:2]) for name in columns if name.startswith(("scores.", "numbers."))})
    scorers = sorted({scorer for _, scorer in wanted})
    if _is_document(path):
        header, samples = _document(path)
        _refuse_unusable(header, len(samples), scorers, path)
        found = (_record(sample, row, header, wanted) for row, sample in enumerate(samples, start=1))
        yield from record_batches(path, columns, found)
        return
    with open_archive(path) as archive:
        header = _header(archive, path)
        names = [name for name in archive.names if name.startswith(SAMPLES) and name.endswith(".json")]
        _refuse_unusable(header, len(names), scorers, path)
        records = (_member(archive, name, row, header, wanted) for row, name in enumerate(names, start=1))
        yield from record_batches(path, columns, records)


def _is_document(path: Path) -> bool:
    """Whether a log is JSON text: its first byte that is no space opens an object."""
    with path.open("rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def _document(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """The header and the samples of a log that is one JSON document."""
    log = next(json_documents(path))
    if not isinstance(log, dict) or not isinstance(log.get("eval"), dict):
        raise BadInput(
            f"{path.name} is no Inspect log", Finding(where=path.name, found="no table eval", promised="a JSON log")
        )
    samples = log.pop("samples", None)
    return log, samples if isinstance(samples, list) else []


def _header(archive: Archive, path: Path) -> dict[str, Any]:
    if HEADER not in archive.names:
        found = Finding(where=HEADER, found="nothing", promised="the header of a finished log")
        raise BadInput(f"{path.name} is no log that Inspect finished", found, then=AGAIN)
    try:
        content = archive.read(HEADER)
        require_few_values(content)
        header = json.loads(content)
    except (BadMember, ValueError, RecursionError) as error:
        raise BadInput(
            f"{path.name} has no readable header",
            Finding(where=HEADER, found=str(error), promised="JSON"),
        ) from error
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        found = Finding(where=HEADER, found="no table eval", promised="the header of an Inspect log")
        raise BadInput(f"{path.name} is no Inspect log", found)
    return header


def _refuse_unusable(header: Mapping[str, Any], n_samples: int, scorers: Sequence[str], path: Path) -> None:
    """Refuse a run that failed, is not whole, or was not scored where scores are wanted; every fault at once."""
    findings = []
    if header.get("status") != "success":
        error = header.get("error")
        said = f" ({_first_line(error.get('message'))})" if isinstance(error, dict) else ""
        findings.append(Finding(where="status", found=f"{header.get('status')}{said}", promised="success"))
    held = header.get("results")
    results: Mapping[str, Any] = held if isinstance(held, dict) else {}
    planned = results.get("logged_samples") or results.get("total_samples")
    if isinstance(planned, int) and planned != n_samples:
        findings.append(Finding(where="samples", found=f"{n_samples}", promised=f"{planned}, as the header says"))
    if not n_samples:
        findings.append(Finding(where="samples", found="none", promised="logged samples (log_samples = true)"))
    scored = {str(score.get("name")) for score in objects_in(results.get("scores"))}
    if scorers and not scored:
        findings.append(Finding(where="results.scores", found="none", promised=f"scores of {', '.join(scorers)}"))
    if findings:
        raise BadInput(f"{path.name} is not a usable log", *findings, then=AGAIN)


type _Wanted = Sequence[tuple[str, ...]]


def _member(archive: Archive, name: str, row: int, header: Mapping[str, Any], wanted: _Wanted) -> Record | Fault:
    """One sample of an archive, or why it cannot be read."""
    try:
        content = archive.read(name)
    except BadMember as error:
        return Fault(row=row, reason=f"the sample cannot be read: {error}", content=readable({"member": name}))
    try:
        require_few_values(content)
        sample = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, Unreadable) else "the sample is not JSON"
        return Fault(row=row, reason=reason, content=shown(content[:SHOWN_BYTES]))
    return _record(sample, row, header, wanted)


def _record(sample: object, row: int, header: Mapping[str, Any], wanted: _Wanted) -> Record | Fault:
    """One sample, or why it is none."""
    if not isinstance(sample, dict) or not {"id", "epoch"} <= sample.keys():
        return Fault(row=row, reason="the sample has no id or no epoch", content=readable(sample))
    epoch, scores = sample["epoch"], sample.get("scores")
    scores = scores if isinstance(scores, dict) else {}
    told = [_unscored(scores, scorer, form) for form, scorer in wanted]
    scores = {scorer: _decided(score) for scorer, score in scores.items()}
    added = {
        "log": header,
        "text": _answer(sample),
        "question": _question(sample),
        "draw": epoch - 1 if isinstance(epoch, int) else None,
        "numbers": {scorer: as_number(at_path(score, "value")) for scorer, score in scores.items()},
    }
    status, reason = _failure(sample) or next(filter(None, told), (None, None))
    return Record(row=row, fields={**sample, "scores": scores, **added}, status=status, reason=reason)


def _failure(sample: Mapping[str, Any]) -> tuple[Status, str] | None:
    """Why a sample holds no answer, by its error, its limit and how the model stopped."""
    if isinstance(error := sample.get("error"), dict):
        return "error", _first_line(error.get("message"))
    if sample.get("invalidation"):
        return "error", "invalidated"
    if isinstance(limit := sample.get("limit"), dict):
        return "cut off", f"{limit.get('type')} limit"
    choices = _choices(sample)
    if not choices:
        return None
    stop = choices[0].get("stop_reason")
    return STOPPED.get(str(stop), ("error", f"stopped by {stop}, which is not known"))


def _unscored(scores: Mapping[str, Any], scorer: str, form: str) -> tuple[Status, str] | None:
    """Why a wanted score is none."""
    score = scores.get(scorer)
    if not isinstance(score, dict):
        return "unparsed", f"no score of {scorer}"
    value = score.get("value")
    if isinstance(value, float) and math.isnan(value):
        return "unparsed", str(score.get("reason") or f"{scorer} left it undecided")
    return ("unparsed", f"{scorer} saw no answer") if form == "numbers" and value == NO_ANSWER else None


def _decided(score: object) -> object:
    """A score, with null where Inspect writes NaN for one that its scorer left undecided."""
    if isinstance(score, dict) and isinstance(value := score.get("value"), float) and math.isnan(value):
        return {**score, "value": None}
    return score


def as_number(value: object) -> float | None:
    """A score as Inspect's own metrics count it; None where it is neither a number nor a known word."""
    if not isinstance(value, str | bool | int | float):
        return None
    if value in NUMBERS:
        return NUMBERS[str(value)]
    if str(value).lower() in WORDS:
        return WORDS[str(value).lower()]
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _choices(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    output = sample.get("output")
    return objects_in(output.get("choices")) if isinstance(output, dict) else []


def _answer(sample: Mapping[str, Any]) -> str | None:
    """The words of the first choice, with what Inspect moved to attachments put back."""
    choices = _choices(sample)
    message = choices[0].get("message") if choices else None
    return _words(message, sample) if isinstance(message, dict) else None


def _question(sample: Mapping[str, Any]) -> str | None:
    """The input, or the words of its last user message."""
    asked = sample.get("input")
    if isinstance(asked, str):
        return _restored(asked, sample)
    users = [message for message in objects_in(asked) if message.get("role") == "user"]
    return _words(users[-1], sample) if users else None


def _words(message: Mapping[str, Any], sample: Mapping[str, Any]) -> str | None:
    """A message's text: its content, or the text parts of it."""
    content = message.get("content")
    if isinstance(content, str):
        return _restored(content, sample)
    parts = [part for part in objects_in(content) if part.get("type") == "text"]
    return "".join(_restored(str(part.get("text", "")), sample) for part in parts) if parts else None


def _restored(text: str, sample: Mapping[str, Any]) -> str:
    """A text that Inspect keeps once among the sample's attachments."""
    if not text.startswith(ATTACHMENT):
        return text
    attachments = sample.get("attachments")
    held = attachments.get(text.removeprefix(ATTACHMENT)) if isinstance(attachments, dict) else None
    return held if isinstance(held, str) else text


def _first_line(message: object) -> str:
    return str(message or "an error without a message").splitlines()[0]
