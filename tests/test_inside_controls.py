"""Where the truth is planted: a direction that carries the attitude is found, labels that mean nothing are not."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from seedlock.analysis.analyze import compute
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.rank_among import rank_among
from seedlock.analysis.results.schema import Results
from seedlock.analysis.sealed import open_sealed
from seedlock.generation.inside.intervene import steering_passes
from seedlock.generation.inside.loaded_models import Bench
from seedlock.generation.inside.passes import runs_by_model, sight_of
from seedlock.generation.inside.progress import Quiet
from seedlock.generation.inside.run import LookedInside, look_inside
from seedlock.generation.inside.weights import deltas_of
from seedlock.generation.requests.items import read_items
from seedlock.generation.requests.run_models import run_models
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.plan.runs import Decoding
from tests.inside_builders import PLAN, Planted, planted_study


@dataclass(frozen=True, slots=True)
class Looked:
    planted: Planted
    first: LookedInside
    results: Results
    copy: Path
    other: Path


def results_of(planted: Planted) -> Results:
    locked = require_lock(planted.locked.paths)
    return compute(locked, open_sealed(locked))[0]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    root = tmp_path_factory.mktemp("planted")
    planted = planted_study(root / "r")
    for unread in ("copy", "other"):
        shutil.copytree(root / "r", root / unread)
    first = look_inside(planted.locked)
    return Looked(planted, first, results_of(planted), root / "copy", root / "other")


def test_an_attitude_along_one_direction_is_found_and_supported(looked: Looked) -> None:
    found = {h.id: h for h in looked.results.hypotheses}
    assert {h.id: h.verdict for h in found.values()} == {h.id: [h.predicted] for h in found.values()}
    assert {c.id: c.decision for c in looked.results.claims} == {"ordered": "supported", "causal": "supported"}
    added = found["H3add"]
    assert added.estimate is not None
    assert added.ci is not None
    assert 0.5 < added.ci[0] < added.estimate < added.ci[1]
    assert found["H3random"].p_value == found["H3shuffled"].p_value == pytest.approx(1 / 21)


def test_the_direction_found_is_the_one_planted(looked: Looked) -> None:
    from safetensors.torch import load_file

    folder = looked.planted.locked.paths.runs / "inside" / "tiny"
    vectors = load_file(str(folder / "vectors.safetensors"))
    true = vectors["true"]
    assert float(true @ looked.planted.attitude) > 0.7
    random = [vector for name, vector in vectors.items() if name.startswith("random")]
    assert len(random) == 20
    assert all(abs(float(vector @ true)) < 1e-6 for vector in random)
    assert all(float(vector.norm()) == pytest.approx(1, abs=1e-5) for vector in vectors.values() if vector.dim() == 1)
    shuffled = [abs(float(vector @ true)) for name, vector in vectors.items() if name.startswith("shuffled")]
    assert max(shuffled) < 0.7


def test_a_look_taken_up_again_reads_nothing_twice_and_seals_the_same(looked: Looked) -> None:
    paths = looked.planted.locked.paths
    events = len(read_ledger(paths.ledger))
    again = look_inside(require_lock(paths))
    assert (again.read, again.already) == (0, looked.first.planned)
    assert len(read_ledger(paths.ledger)) == events


class Killer(Quiet):
    """Breaks off after some passes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def read(self, label: str, rows: int) -> None:  # noqa: ARG002 - what a progress is told
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


class KillsAHelper(Quiet):
    """Kills one helper process after some passes."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.killed = False

    def read(self, label: str, rows: int) -> None:  # noqa: ARG002 - what a progress is told
        self.left -= 1
        if not self.left:
            helper = multiprocessing.active_children()[0]
            helper.kill()
            self.killed = True


def test_a_look_broken_off_goes_on_where_it_stopped_and_seals_the_same_bytes(looked: Looked) -> None:
    paths = type(looked.planted.locked.paths)(root=looked.copy, name="planted")
    with pytest.raises(KeyboardInterrupt):
        look_inside(require_lock(paths), progress=Killer(60))
    assert not (paths.runs / "sealed").exists()
    again = look_inside(require_lock(paths))
    assert 0 < again.already < looked.first.planned
    assert again.already + again.read == looked.first.planned
    for name in ("readings", "conditions", "directions"):
        file = f"runs/planted/sealed/{name}.parquet"
        assert (looked.copy / file).read_bytes() == (looked.planted.locked.paths.root / file).read_bytes()


def test_several_processes_seal_the_same_bytes_also_where_one_of_them_is_killed(looked: Looked) -> None:
    paths = type(looked.planted.locked.paths)(root=looked.other, name="planted")
    shot = KillsAHelper(after=20)
    done = look_inside(require_lock(paths), progress=shot, workers=2)
    assert shot.killed
    assert (done.already, done.read) == (0, looked.first.planned)
    for name in ("readings", "conditions", "directions"):
        file = f"runs/planted/sealed/{name}.parquet"
        assert (looked.other / file).read_bytes() == (looked.planted.locked.paths.root / file).read_bytes()


def test_another_plan_or_model_is_not_mixed_in(looked: Looked, tmp_path: Path) -> None:
    root = tmp_path / "r"
    shutil.copytree(looked.planted.locked.paths.root, root)
    record = root / "runs" / "planted" / "inside" / "models.json"
    record.write_bytes(record.read_bytes().replace(b'"inside":"', b'"inside":"0'))
    paths = type(looked.planted.locked.paths)(root=root, name="planted")
    with pytest.raises(BadInput, match="other models or another plan"):
        look_inside(require_lock(paths))


def test_labels_that_mean_nothing_reach_significance_no_more_often_than_promised(tmp_path: Path) -> None:
    """20 studies with shuffled texts: first among 20 shuffled directions by chance in 1 of 21."""
    supported = 0
    for seed in range(20):
        plan = PLAN.replace("seeds  = [0, 1, 2, 3, 4]", "seeds  = [0]")
        planted = planted_study(tmp_path / str(seed), labels="random", seed=seed, plan=plan)
        supported += rank_of_shuffled(planted) <= 0.05
        shutil.rmtree(tmp_path / str(seed))
    assert supported <= 3  # P(more | nominal rate) = 0.013


def rank_of_shuffled(planted: Planted) -> float:
    """p of the true direction among the shuffled ones, by what adding it does to the probes."""
    locked = planted.locked
    assert locked.plan.inside is not None
    items = read_items(locked)
    bench = Bench(items, Decoding(temperature=0.0, max_new_tokens=1), 64)
    (runs,) = runs_by_model(locked, run_models(locked))
    sight = sight_of(locked, bench, items, runs, locked.plan.inside)
    assert sight is not None
    moved: dict[str, float] = {}
    for one in steering_passes(bench, runs.base, bench.asked(runs.base, "target"), sight, [0.5], only_true=False):
        ((_, condition),) = one.wanted
        if condition.control != "random" and condition.vector is not None and condition.dose is not None:
            values = [row.value for row in one.make()]
            sign = float(np.sign(condition.dose))
            moved[condition.vector] = moved.get(condition.vector, 0.0) + sign * float(np.mean(np.array(values, float)))
    levels = (
        Level(name="true", weight=1.0, unit_means={"true": moved.pop("true")}),
        Level(name="shuffled", weight=-1.0, unit_means=moved),
    )
    found = rank_among(Sample(levels=levels, unit="vector", is_proportion=False), level=0.9, edges=(0.0,))
    return found.edges[0].p_above


def test_a_weight_change_has_the_rank_and_the_direction_it_was_made_with(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    rng = torch.Generator().manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(16, generator=rng), dim=0)
    a = torch.linalg.qr(torch.randn(8, 4, generator=rng))[0].T.contiguous()
    across = torch.randn(16, 1, generator=rng)
    across -= float(across[:, 0] @ unit) * unit[:, None]
    b = torch.cat([2 * unit[:, None], across / across.norm(), torch.zeros(16, 2)], dim=1)
    stem = "base_model.model.model.layers.0.mlp.down_proj"
    save_file({f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}, str(tmp_path / "adapter_model.safetensors"))
    (tmp_path / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8}')
    (delta,) = deltas_of(tmp_path)
    assert delta.module == "layers.0.mlp.down_proj"
    assert delta.singular_values.tolist() == pytest.approx([4.0, 2.0, 0.0, 0.0], abs=1e-5)
    share = np.array([2 / 3, 1 / 3])
    assert delta.effective_rank == pytest.approx(float(np.exp(-(share * np.log(share)).sum())), abs=1e-4)
    assert delta.share_along(unit) == pytest.approx(0.8, abs=1e-6)
