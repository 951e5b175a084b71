"""The one door: open a provider as a plan says, and ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from seedlock.generation.hosted.api import Api
from seedlock.generation.hosted.asking import Ask, Outcome
from seedlock.generation.hosted.batches import Batches
from seedlock.generation.hosted.chat import chat
from seedlock.generation.hosted.jobs import Jobs
from seedlock.generation.hosted.journal import Journal
from seedlock.prereg.plan.hosted import Hosted

JOURNAL = "answers.jsonl"

type Provider = Literal["openai", "anthropic"]


class Place:
    """A provider that is asked, and the folder that remembers what was asked.

    One process uses a folder at a time. Ids of requests are for ever: the same id is asked once, in this call or any
    later one, and its outcome comes from the folder afterwards.

    Parameters
    ----------
    folder
        Holds `answers.jsonl` (the journal) and `batches/` (a file a batch). Neither holds a key or an address.
    """

    def __init__(self, api: Api, settings: Hosted, folder: Path) -> None:
        self._api = api
        self._settings = settings
        self._journal = Journal(folder / JOURNAL)
        self._batches = Batches(api, settings, Jobs(folder / "batches"), self._journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        self._api.close()

    @property
    def served_by(self) -> list[str]:
        """Names of the models that answered, as the provider gave them."""
        return self._journal.served_by

    def sent_again(self, id: str) -> int:
        """How often a request was sent after its answer was lost."""
        return self._journal.sent_again(id)

    def submit(self, asks: Sequence[Ask]) -> None:
        """Put requests into batches, each in one for ever; in chat mode nothing happens yet."""
        if self._settings.mode == "batch":
            self._batches.submit(asks)

    def outcomes(self, asks: Sequence[Ask]) -> Iterator[Outcome]:
        """Yield exactly one outcome for every request, as they come.

        Raises
        ------
        Incomplete
            The provider does not answer; the next call goes on where this one stopped.
        BadInput
            The provider refuses every request: its message says why.
        """
        if self._settings.mode == "batch":
            self._batches.submit(asks)
            yield from self._batches.outcomes(asks)
        else:
            yield from chat(asks, self._api, self._settings, self._journal)


def open_place(provider: Provider, settings: Hosted, folder: Path) -> Place:
    """Open a provider.

    Parameters
    ----------
    settings
        The plan's `[hosted]` table, or one of the same shape.
    folder
        Where requests and batches are remembered, under `runs/STUDY/`.

    Raises
    ------
    BadInput
        The environment variable that should hold the key is empty.
    """
    if provider == "openai":
        from seedlock.generation.hosted.openai_api import OpenAiApi  # noqa: PLC0415 - only the SDK that is used is loaded

        return Place(OpenAiApi(settings), settings, folder)
    from seedlock.generation.hosted.anthropic_api import AnthropicApi  # noqa: PLC0415 - only the SDK that is used is loaded

    return Place(AnthropicApi(settings), settings, folder)
