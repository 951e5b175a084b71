"""An organism's grid on three nodes: one is killed, every run finishes, and the bytes are the local ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedlock.training.train import train_study
from tests.training_builders import PLAN, TrainingStudy, tiny_base

pytest.importorskip("ray", reason="the ray extra is not installed")

HERE = Path(__file__).parents[1]
DRIVER = """
import json, sys, threading, time
from pathlib import Path
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.base.paths import StudyPaths
from ray.cluster_utils import Cluster
from seedlock.training.train import train_study

paths = StudyPaths(root=Path(sys.argv[1]), name="tiny")
node = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=node)
nodes = [cluster.add_node(**node) for _ in range(2)]
cluster.wait_for_nodes()
killed = []

def kill_one():
    while len(list(paths.runs.glob("stages/*/work/checkpoint-*/whole.json"))) < 3 and not finished.is_set():
        time.sleep(0.02)
    if not finished.is_set():
        cluster.remove_node(nodes[0], allow_graceful=False)
        killed.append(time.time())

finished = threading.Event()
killer = threading.Thread(target=kill_one)
killer.start()
try:
    summary = train_study(require_lock(paths), executor="ray", address=cluster.address)
finally:
    finished.set()
    killer.join()
print(json.dumps({"killed": len(killed), "lost": summary.lost, "failed": [f.reason for f in summary.failed],
                  "trained": summary.trained}))
cluster.shutdown()
"""
ORGANISM = HERE / "training" / "organisms" / "weights" / "llama"
LONGER = PLAN.replace("steps = 12", "steps = 60").replace("seeds  = [0, 1]", "seeds = [0, 1, 2]")


@pytest.mark.slow
def test_a_node_killed_midway_costs_nothing_but_time(tmp_path: Path) -> None:
    on_ray = TrainingStudy.at(tmp_path / "ray", ORGANISM, LONGER).write_corpora()
    on_ray.lock()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    ran = subprocess.run(
        [sys.executable, str(script), str(on_ray.paths.root)],
        env={**os.environ, "PYTHONPATH": str(HERE), "RAY_DEDUP_LOGS": "0"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    said = json.loads(ran.stdout.strip().splitlines()[-1])
    assert said["killed"] == 1
    assert said["failed"] == []
    assert said["trained"] == 7
    assert said["lost"] >= 1, "the node that died was at work"
    records = [json.loads(path.read_text("utf-8")) for path in on_ray.paths.runs.glob("runs/*/*.json")]
    seen = {record["environment"]["visible_devices"] for record in records if record["environment"]}
    assert seen == {"0"}, "a run has one device where the cluster has any"
    lost = [event for event in on_ray.events("run.failed") if event.body["worker_lost"]]
    assert len(lost) == said["lost"]
    local = TrainingStudy.at(tmp_path / "local", ORGANISM, LONGER).write_corpora()
    assert train_study(local.lock(), workers=2).failed == ()
    assert on_ray.adapters() == local.adapters()


def test_a_node_that_does_not_see_the_workbench_sends_its_files_back(tmp_path: Path) -> None:
    from seedlock.training.checks.study import check_study
    from seedlock.training.grid.planned import jobs
    from seedlock.training.grid.ray_cluster import deliver
    from seedlock.training.grid.run import run_file

    study = TrainingStudy.at(tmp_path / "r", tiny_base(tmp_path / "base")).write_corpora()
    locked = study.lock()
    corpora = {report.corpus.name: report.corpus for report in check_study(locked.paths, locked.plan)}
    job = jobs(locked, corpora)[0]
    delivery = deliver(job, mark="the driver's")
    assert delivery.told.what == "finished"
    assert not run_file(job.workbench, job.run_id).exists(), "nothing was written where the driver looks"
    names = {path.rpartition("/")[2] for path in delivery.files}
    assert {"run.json", "stage.json", "supervised.jsonl", "adapter_model.safetensors", "metrics.jsonl"} <= names
    assert not [path for path in delivery.files if "/work/" in path]
