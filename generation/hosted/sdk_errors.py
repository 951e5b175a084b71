"""What an SDK raises, sorted by what it means: not carried out, perhaps carried out, never to be carried out."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from seedlock.generation.hosted.api import Busy, Rejected, Unsettled
from seedlock.prereg.errors import BadInput, Finding

NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
NOBODY_MAY = {401: "the key is refused", 402: "the account is not paid for", 403: "the key may not do this"}
SHOWN = 300


@contextmanager
def sorted_faults(sdk: Any, key: str | None) -> Iterator[None]:
    """Raise every fault of an official SDK (`openai` or `anthropic`: they share their tree of errors) as what it means.

    Parameters
    ----------
    key
        Blotted out of every message: some providers repeat it.
    """
    try:
        yield
    except sdk.APIStatusError as error:
        raise _by_status(error, _said(error, key)) from None
    except sdk.APIResponseValidationError as error:
        raise Unsettled(f"an answer that cannot be read: {_said(error, key)}") from None
    except sdk.APIConnectionError as error:
        if isinstance(error.__cause__, NEVER_SENT):
            raise Busy(f"no connection ({type(error.__cause__).__name__})") from None
        raise Unsettled(f"no answer came ({type(error.__cause__ or error).__name__})") from None
    except json.JSONDecodeError as error:
        raise Unsettled(f"an answer that is not JSON: {error.msg} at character {error.pos}") from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise Unsettled(f"the answer broke off ({type(error).__name__})") from None


def _by_status(error: Any, said: str) -> Exception:
    status = int(error.status_code)
    if status in NOBODY_MAY:
        fault = Finding(where=f"status {status}", found=said, promised="a key that may ask this model")
        return BadInput(NOBODY_MAY[status], fault, then="set the environment variable that the plan names")
    if status == 404:
        fault = Finding(where="status 404", found=said, promised="a model and an address that exist")
        return BadInput("the provider does not know what is asked for", fault, then="edit [hosted], and amend")
    if status in {502, 504}:
        return Unsettled(f"status {status}: {said}")
    if status in {408, 409, 425, 429} or status >= 500:
        return Busy(f"status {status}: {said}", _retry_after_s(error.response.headers))
    return Rejected(f"status {status}: {said}")


def _said(error: Any, key: str | None) -> str:
    """What the provider says, short, on one line and without the key."""
    body = error.body
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = str(inner.get("message") if isinstance(inner, dict) and inner.get("message") else error.message)
    return blotted(" ".join(said.split()), key)[:SHOWN]


def blotted(text: str, key: str | None) -> str:
    """Return the text with every occurrence of the key blotted out."""
    return text.replace(key, "[key]") if key else text


def _retry_after_s(headers: Any) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); None where neither says so."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, min(float(headers[name]) / unit, 86_400.0))
        except (KeyError, ValueError):
            continue
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
