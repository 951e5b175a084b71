"""verify holds what every finished run began from against the base model that its lock pins."""

from __future__ import annotations

from typing import Any

import pytest

from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.ledger import append_event
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import StudyFixture


@pytest.mark.parametrize(("begun", "state"), [("the pinned one", "pass"), ("sha256:" + "1" * 64, "fail")])
def test_a_run_that_began_from_another_base_is_named(study: StudyFixture, begun: str, state: str) -> None:
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    run = lock.runs[0]
    pinned = next(model.revision for model in lock.models if model.name == run.model)
    load: dict[str, Any] = {"base": "organism:llama", "in_workbench": False, "adapter": None, "adapter_sha256": None}
    load["base_revision"] = pinned if state == "pass" else begun
    body: dict[str, Any] = {"run_id": run.run_id, "stages": [], "load": load, "environment": None}
    append_event(study.paths.ledger, "run.finished", body)
    check = next(check for check in verify_study(study.paths).checks if check.id == "L4")
    assert check.state == state
    if state == "fail":
        (finding,) = check.findings
        assert run.run_id in finding.where
        assert (finding.found, finding.promised) == (f"begun from {begun}", f"{pinned} (lock)")
