"""What `check` says of the weights that a plan rests on, and what stops a lock: not there, or not the pinned ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.plan.given_runs import GivenRun
    from seedlock.prereg.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Base models and weights made elsewhere, as they lie here.

    `bases` are those that this repository must hold, with the digest found; `absent` those still to be fetched.
    """

    plan: Plan
    study: str
    bases: dict[str, str | None]
    absent: list[str]
    given: list[GivenRun]

    def lines(self) -> Iterator[str]:
        """Each of them, for a person."""
        from seedlock.prereg.plan.bases import described, fetched_bases

        for name, model in fetched_bases(self.plan).items():
            yield f"base    {name} = {described(model)}"
            later = f"  (not here yet: seedlock fetch {self.study})" if name in self.absent else ""
            yield f"        {model.revision}{later}"
        for name, found in self.bases.items():
            yield f"base    {name} = {described(self.plan.models[name])}"
            yield f"        {found or 'no model there'}"
        for run in self.given:
            yield f"given   {run.line()}"
            if run.found is not None:
                yield f'        "{run.label}" = "{run.found}"{"" if run.is_whole else "  (not pinned: revisions)"}'

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "bases": self.bases,
            "given": [
                {"run": run.label, "path": run.spelled, "kind": run.weights.kind, "revision": run.found}
                for run in self.given
            ],
        }

    def require(self, study: str) -> None:
        """Refuse what is not there as the plan pins it.

        Raises
        ------
        BadInput
            With every such model or run.
        """
        from seedlock.prereg.plan.bases import require_bases
        from seedlock.prereg.plan.given_runs import require_given

        require_bases(self.plan, self.bases, study)
        require_given(self.plan, self.given, study)


def look_at_weights(plan: Plan, paths: StudyPaths) -> Weights:
    """Find the weights that a plan rests on; every file of them is read once."""
    from seedlock.prereg.plan.bases import absent_bases, local_bases
    from seedlock.prereg.plan.given_runs import given_runs

    return Weights(
        plan=plan,
        study=paths.name,
        bases=local_bases(plan, paths.root),
        absent=absent_bases(plan, paths.root),
        given=list(given_runs(plan, paths.root)),
    )
