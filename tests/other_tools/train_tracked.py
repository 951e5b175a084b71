"""Train a few steps that trackio sees; it lives in another environment, and nothing else is taken from there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

site, location, folder = sys.argv[1:]
sys.path.append(site)

from seedlock.training.jobs.base_model import BaseModel  # noqa: E402
from tests.test_training_settings import trained  # noqa: E402 - the path comes first

record = trained(BaseModel(name="t", spec="t", location=location, revision="r", is_local=True), Path(folder), steps=4)

from trackio.sqlite_storage import SQLiteStorage  # type: ignore[import-not-found]  # noqa: E402 - after the run

seen = SQLiteStorage.get_logs("seedlock", f"s-{'0' * 16}")
print(json.dumps({"adapter": record["adapter"], "tracker": record["tracker"], "seen": seen}))  # noqa: T201
