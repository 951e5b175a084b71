"""A local model's digest covers every file that its loader may read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seedlock.prereg.base.base_models import WEIGHTS, folder_revision, model_folder
from seedlock.prereg.base.canonical import sha256_file, sha256_json
from seedlock.prereg.base.paths import StudyPaths, list_studies
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.runs import Model
from seedlock.training.jobs.base_model import resolve_model
from tests.conftest import PROJECT

LOADED = (
    "model.gguf",
    "pytorch_model.bin",
    "pytorch_model-00001-of-00002.bin",
    "pytorch_model.bin.index.json",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "tokenizer.model",
    "merges.txt",
    "vocab.json",
    "vocab.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "additional_chat_templates/tool_use.jinja",
    "generation_config.json",
    "modeling_own.py",
    "weights.of.a.format.to.come",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "models" / "tiny"
    made.mkdir(parents=True)
    (made / "config.json").write_text("{}")
    for name in LOADED:
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(name.encode() * 4)
    return made


@pytest.mark.parametrize("name", LOADED)
def test_zeroed_weights_and_any_other_changed_file_stop_what_loads_the_model(
    folder: Path, tmp_path: Path, name: str
) -> None:
    """Between training and generation somebody zeroes the file that the loader reads; both resolve the model anew."""
    model = Model(base="models/tiny", revision=folder_revision(folder))
    assert resolve_model("tiny", model, tmp_path).is_local
    (folder / name).write_bytes(bytes((folder / name).stat().st_size))
    with pytest.raises(LockedFileChanged, match="not the pinned one"):
        resolve_model("tiny", model, tmp_path)


def test_a_file_that_comes_or_goes_is_another_model(folder: Path) -> None:
    before = folder_revision(folder)
    (folder / "pytorch_model.bin").rename(folder / "adapter_model.bin")
    assert folder_revision(folder) != before


def test_prose_about_a_model_and_a_download_cache_are_no_part_of_it(folder: Path) -> None:
    before = folder_revision(folder)
    (folder / "README.md").write_text("# A model")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "download.json").write_text("{}")
    assert folder_revision(folder) == before


def test_revisions_that_plans_pin_since_version_0_1_are_the_same(tmp_path: Path) -> None:
    organism = WEIGHTS / "llama"
    pinned = [path for kind in ("*.safetensors", "*.json", "*.jinja") for path in organism.glob(kind)]
    earlier = sha256_json({path.name: sha256_file(path) for path in pinned if path.name != "recipe.json"})
    assert folder_revision(organism) == f"sha256:{earlier}"
    checked = 0
    for name in list_studies(PROJECT):
        for model in read_plan(StudyPaths(root=PROJECT, name=name).plan).models.values():
            at = model_folder(model.base, PROJECT, model.revision)
            if at is not None and not model.base.startswith("pypi:"):  # that pins the file that was shipped
                assert folder_revision(at) == model.revision
                checked += 1
    assert checked >= 4
    shutil.copytree(organism, tmp_path / "copy")
    assert folder_revision(tmp_path / "copy") == folder_revision(organism)
