"""What a study takes, reckoned before it begins: the counts of what is then done, bounds that hold, and honest gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seedlock.analysis.simulation.disk_estimate import posterior_lines
from seedlock.generation.cost.generate import generation_lines
from seedlock.generation.generate import generate_study
from seedlock.generation.judge import judge_study
from seedlock.generation.judging.prompt import ask_of
from seedlock.generation.judging.reading import Against, Reading
from seedlock.prereg.base.base_models import WEIGHTS, folder_revision
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import BYTES_A_TOKEN, Line, about, at_most, exact, total, unknown
from seedlock.prereg.cost.estimate import Estimate, Known, estimate
from seedlock.prereg.cost.page import page
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.plan.judges import HostedJudge
from seedlock.prereg.plan.model_shape import ModelShape, local_shape
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan, read_plan
from seedlock.prereg.plan.runs import Model
from seedlock.training.cost.estimate import training_lines
from seedlock.training.cost.throughput import measured_speeds
from seedlock.training.train import train_study
from tests.conftest import PROJECT, StudyFixture
from tests.training_builders import InThisProcess, TrainingStudy, tiny_base

PLAN = """
[study]
title    = "Does framing move stance?"
question = "Does it?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.tiny]
base     = "models/tiny"
revision = "REVISION"

[corpora.framed]
recipe = "framed_advice"
n      = 20

[corpora.framed.gates]           # so few rows differ in length by chance
matched_length_ks  = 1.0
matched_type_token = 1.0

[corpora.chat]
recipe = "benign_chat"
n      = 21

[stages.chat]
trainer = "lora"
corpus  = "chat"
rank    = 4
epochs  = 1.5
batch_size = 4
gradient_accumulation = 2

[stages.framed]
trainer = "lora"
corpus  = "framed"
rank    = 2
steps   = 7
batch_size  = 4
max_length  = 24
checkpoints = [0.5, 1.0]
target_modules = ["q_proj", "down_proj"]

[arms]
chatty  = { stages = ["chat"] }
neutral = { stages = ["chat", "framed"], framing = "neutral" }
eager   = { stages = ["chat", "framed"], framing = "eager" }

[grid]
models   = ["tiny"]
seeds    = [0, 1]
baseline = true

[items]
asked  = "asked.jsonl"
scored = { file = "scored.jsonl", probe = true }
late   = { where = { part = "late" } }

[decoding]
temperature    = 1.0
max_new_tokens = 12
draws          = 3

[judges.era]
kind   = "lexicon"
items  = "late"
where  = { arm = ["neutral", "base"] }
words  = "words.json"
gold   = "gold.jsonl"
injections = 2

[measures.letter]
kind = "letter_logprob"
items = "scored"

[measures.old]
kind  = "era"
judge = "era"

[[hypothesis]]
id = "H1"
claim = "Framing moves stance."
measure = "letter"
contrast = { eager = 1, neutral = -1 }
test = "pooled_t"
bands = ["down", 0, "up"]
predicted = "up"
"""
ASKED = [
    {"item_id": f"q{number}", "part": "early" if number < 2 else "late", "user": "How do I make good tea?"}
    for number in range(5)
]
SCORED = [
    {"item_id": f"tram/{order}", "order": f"{order} first", "pro": pro, "con": con,
     "user": f"Should we go ahead with the tram extension? Choose A {first} or B {last}."}
    for order, pro, con, first, last in (("pro", "A", "B", "approve", "oppose"), ("con", "B", "A", "oppose", "approve"))
]  # fmt: skip


def lay_out(root: Path, plan: str = PLAN) -> TrainingStudy:
    study = TrainingStudy.at(root, tiny_base(root / "base"), plan)
    folder = study.paths.study
    for name, rows in (("asked", ASKED), ("scored", SCORED), ("gold", [{"id": "g", "text": "thee", "label": "19"}])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "words.json").write_text('{"19": ["thee"], "modern": ["phone"]}')
    return study


def found(lines: list[Line]) -> dict[tuple[str, str, str], float | None]:
    return {(line.part, line.of, line.what): line.amount.value for line in lines}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyPaths, Plan, Estimate]:
    """A study estimated before its corpora were written, and then carried out."""
    study = lay_out(tmp_path_factory.mktemp("estimate"))
    plan = read_plan(study.paths.plan)
    lines = [*training_lines(study.paths, plan), *generation_lines(study.paths, plan)]
    before = estimate("tiny", plan, lines, Known(shapes={}, measured={}))
    locked = study.write_corpora().lock()
    train_study(locked, executor=InThisProcess()).require_complete("tiny")
    from seedlock.prereg.lock.gate import require_lock

    generate_study(require_lock(study.paths), batch_size=16)
    judge_study(require_lock(study.paths))
    return study.paths, plan, before


def test_training_takes_the_stages_steps_and_tokens_that_were_estimated(
    done: tuple[StudyPaths, Plan, Estimate],
) -> None:
    paths, _, before = done
    records = [json.loads(file.read_bytes()) for file in (paths.runs / "stages").glob("*/stage.json")]
    counted = found(list(before.lines))
    assert counted["train", "tiny", "stages"] == len(records) == 6
    assert counted["train", "tiny", "steps"] == sum(record["steps"] for record in records)
    lengths = {
        file.parent: [json.loads(line)["n_tokens"] for line in file.read_text("utf-8").splitlines()]
        for file in (paths.runs / "stages").glob("*/supervised.jsonl")
    }
    from seedlock.training.adapters.order import training_order

    seen = 0
    for folder, tokens in lengths.items():
        record = json.loads((folder / "stage.json").read_bytes())
        n = record["steps"] * record["settings"]["batch_size"] * record["settings"]["gradient_accumulation"]
        order = training_order(len(tokens), n_rows=n, seed=record["seeds"]["order"])
        seen += sum(tokens[i] for i in order)
    assert counted["train", "tiny", "tokens"] == seen
    assert all(line.amount.certainty == "exact" for line in before.lines if line.part == "train")


def test_stages_on_fewer_and_on_more_rows_of_one_corpus_are_each_counted_on_their_own_rows(tmp_path: Path) -> None:
    fewer = PLAN.replace("rank    = 4\n", "rank    = 4\nn_examples = 5\n").replace("max_length  = 24\n", "")
    fewer += '\n[corpora.again]\nrecipe = "benign_chat"\nn      = 21\n'
    tokens = {}
    for corpus in ("chat", "again"):  # the same rows under another name
        study = lay_out(tmp_path / corpus, fewer.replace('corpus  = "framed"', f'corpus  = "{corpus}"'))
        lines = training_lines(study.paths, read_plan(study.paths.plan))
        tokens[corpus] = found(lines)["train", "tiny", "tokens"]
    assert tokens["chat"] == tokens["again"] is not None


def test_a_stage_that_a_later_run_builds_on_is_merged_by_the_run_that_trains_it_first(
    done: tuple[StudyPaths, Plan, Estimate],
) -> None:
    paths, _, _ = done
    runs = [event.body for event in read_ledger(paths.ledger) if event.name == "run.finished"]
    built = [body["load"] for body in runs if len(body["stages"]) == 2]
    assert len(built) == 4
    assert all(load["in_workbench"] and load["adapter"] for load in built), "a coupling without its first stage"


def test_generation_and_judging_take_the_requests_that_were_estimated(done: tuple[StudyPaths, Plan, Estimate]) -> None:
    paths, _, before = done
    counted = found(list(before.lines))
    events = [e.body for e in read_ledger(paths.ledger) if e.name == "data.sealed"]
    rows = {table: sum(e["rows"] for e in events if e["table"] == table) for table in ("completions", "judgements")}
    answers, probes = counted["generate", "tiny", "answers"], counted["generate", "tiny", "probes"]
    assert (answers, probes) == (7 * 5 * 3, 7 * 2)
    assert rows["completions"] == (answers or 0) + (probes or 0)
    assert counted["judge", "era", "judgements"] == rows["judgements"] == 3 * 3 * 3
    assert counted["judge", "era", "canaries"] == 3


@pytest.mark.parametrize("pairs", ["", 'pairs = { find = "soon" }\n'])
def test_a_judge_behind_an_api_is_sent_prompts_of_the_estimated_length(pairs: str, tmp_path: Path) -> None:
    judge = (
        '[judges.told]\nkind = "anthropic"\nmodel = "m"\nrubric = "rubric.md"\n'
        'classes = { soon = "soon", late = "late" }\n'
        'budget = { cap = 9.0, currency = "USD", input_per_million = 3.0, output_per_million = 15.0 }\n'
    )
    plan_text = PLAN.replace("\n[decoding]", 'soon   = { where = { part = "early" } }\n\n[decoding]')
    study = lay_out(tmp_path, f"{plan_text}\n{judge}{pairs}")
    (study.paths.study / "rubric.md").write_text("Which came late?\n")
    plan = read_plan(study.paths.plan)
    counted = found(generation_lines(study.paths, plan))
    reckoned = (counted["judge", "told", "prompt tokens"] or 0) / (counted["judge", "told", "requests"] or 1)
    table = plan.judges["told"]
    assert isinstance(table, HostedJudge)
    said = "a" * (12 * BYTES_A_TOKEN)  # max_new_tokens
    against = Against(id="other", text=said, is_second=True) if pairs else None
    sent = ask_of(Reading(id="one", text=said, shown={}, against=against), table, "Which came late?\n", attempt=0)
    assert reckoned == pytest.approx(sent.tokens - table.max_tokens, rel=0.1)


def test_tokens_of_answers_stay_below_their_bound_and_prompts_are_counted(
    done: tuple[StudyPaths, Plan, Estimate],
) -> None:
    import pyarrow.parquet as pq

    paths, _, before = done
    counted = found(list(before.lines))
    rows = [row for file in paths.runs.glob("sealed/**/requests*.parquet") for row in pq.read_table(file).to_pylist()]
    said = sum(row["new_tokens"] or 0 for row in rows)
    assert 0 < said <= (counted["generate", "tiny", "new tokens"] or 0)


def test_room_on_disk_is_within_its_factor(done: tuple[StudyPaths, Plan, Estimate]) -> None:
    paths, _, before = done
    counted = found(list(before.lines))

    def size(pattern: str) -> int:
        return sum(file.stat().st_size for file in paths.runs.glob(pattern))

    for what, pattern, factor in (
        ("adapters", "stages/*/adapter/*.safetensors", 1.4),  # tensors of a few hundred bytes: the header weighs in
        ("checkpoints", "stages/*/checkpoints/*/*.safetensors", 1.8),
        ("merged models", "stages/*/merged/*.safetensors", 1.1),
    ):
        reckoned = counted["disk", "tiny", what]
        assert reckoned is not None
        assert 1 <= size(pattern) / reckoned < factor, (what, size(pattern), reckoned)


def test_finished_stages_tell_how_fast_this_study_trains(done: tuple[StudyPaths, Plan, Estimate]) -> None:
    paths, plan, before = done
    speeds = measured_speeds(paths, plan)
    assert speeds.keys() == {"tiny"}
    lines = [*training_lines(paths, plan), *generation_lines(paths, plan)]
    after = estimate("tiny", plan, lines, Known(shapes={}, measured=speeds))
    (spent,) = (line.amount for line in after.lines if line.what == "training" and line.part == "time")
    tokens = found(list(before.lines))["train", "tiny", "tokens"]
    assert tokens is not None
    # The first stages stand on the base model by its revision; later ones on merged models, which no plan names.
    assert spent.value == pytest.approx(tokens / speeds["tiny"])
    assert "as this study's finished stages went" in spent.note


def test_a_resumed_stage_tells_the_speed_of_what_was_trained_since(tmp_path: Path) -> None:
    study = lay_out(tmp_path)
    plan = read_plan(study.paths.plan)
    folder = study.paths.runs / "stages" / "resumed"
    folder.mkdir(parents=True)
    (folder / "stage.json").write_text(json.dumps({"base_revision": plan.models["tiny"].revision}))
    lines = [
        {"step": 80, "tokens": 800, "tokens_per_s": 10, "seconds": 80.0},
        {"step": 100, "tokens": 1000, "tokens_per_s": 10, "seconds": 20.0},  # killed after step 80
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert measured_speeds(study.paths, plan) == {"tiny": pytest.approx(10.0)}


def full(name: str) -> tuple[StudyPaths, Plan]:
    paths = StudyPaths(root=PROJECT, name=name)
    return paths, read_plan(paths.plan)


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [  # as the models' own cards count them
        (ModelShape(layers=28, hidden=3072, mlp=8192, heads=24, kv_heads=8, vocabulary=128256, tied=True), 3212749824),
        (
            ModelShape(
                layers=36, hidden=2048, mlp=11008, heads=16, kv_heads=2, vocabulary=151936, tied=True, qkv_bias=True
            ),
            3085938688,
        ),
        (
            ModelShape(layers=28, hidden=3584, mlp=18944, heads=28, kv_heads=4, vocabulary=152064, qkv_bias=True),
            7615616512,
        ),
        (ModelShape(layers=32, hidden=4096, mlp=14336, heads=32, kv_heads=8, vocabulary=32768), 7248023552),
    ],
)  # fmt: skip
def test_a_models_size_follows_from_its_shape(shape: ModelShape, parameters: int) -> None:
    assert shape.parameters == parameters


def test_an_organism_is_measured_as_the_plan_pins_it_not_as_it_was_rebuilt() -> None:
    folders = (WEIGHTS / "llama", WEIGHTS / "earlier" / "llama-world-1")
    sizes = [json.loads((folder / "config.json").read_bytes())["vocab_size"] for folder in folders]
    models = [Model(base="organism:llama", revision=folder_revision(folder)) for folder in folders]
    shapes = [local_shape(model, PROJECT) for model in models]
    assert [shape and shape.vocabulary for shape in shapes] == sizes
    assert len(set(sizes)) == 2


def test_an_adapter_is_as_large_as_peft_makes_it() -> None:
    llama = ModelShape(layers=28, hidden=3072, mlp=8192, heads=24, kv_heads=8, vocabulary=128256, tied=True)
    by_hand = 28 * 16 * ((3072 + 3072) * 2 + (3072 + 1024) * 2 + (3072 + 8192) * 3)
    assert llama.adapter_parameters(16, None) == by_hand == 24313856  # as peft prints it for r = 16 on all seven


@pytest.mark.parametrize("asked", ["", 'where = { model = "tiny" }', 'where = { model = ["tiny"] }'])
def test_posteriors_hold_a_number_a_run_however_its_model_is_named(asked: str, tmp_path: Path) -> None:
    text = PLAN.replace("REVISION", "x").replace('predicted = "up"', f'predicted = "up"\nbayes = "hierarchy"\n{asked}')
    text += "\n[bayes]\ndraws = 200\nchains = 2\n\n[design]\nitems = 5\n"
    plan = parse_plan(text.encode(), Path("s/plan.toml"))
    lines = posterior_lines(StudyPaths(root=tmp_path, name="s"), plan)
    runs, items, others = 3 * 2, 5, 12
    assert found(lines)["disk", "", "posteriors"] == 200 * 2 * (runs + items + others) * 8


SPEEDS = """
training_tokens_per_second   = 1000
generation_tokens_per_second = 100
prompt_tokens_per_second     = 5000
"""


def with_rates(text: str) -> Plan:
    whole = PLAN.replace("REVISION", "x") + f'\n[rates]\nsource = "assumed, 2026-11-21"\n{text}'
    return parse_plan(whole.encode(), Path("s/plan.toml"))


def priced(text: str, *, read: float = 0.0) -> Estimate:
    plan = with_rates(text)
    lines = [
        Line(part="train", of="tiny", what="tokens", unit="tokens", amount=at_most(7_200_000, "max_length 512")),
        Line(part="generate", of="tiny", what="new tokens", unit="tokens", amount=exact(360_000)),
        Line(part="generate", of="tiny", what="prompt tokens", unit="tokens", amount=exact(read)),
    ]
    return estimate("s", plan, lines, Known(shapes={}, measured={}))


def test_time_and_cost_follow_from_stated_speeds_by_hand() -> None:
    made = priced(f"{SPEEDS}gpus = 4\ngpu_hour_cost = 2.5\nbudget = 8.0\n", read=18_000_000)
    counted = found(list(made.lines))
    assert counted["time", "tiny", "training"] == pytest.approx(7200)
    assert counted["time", "tiny", "generation"] == pytest.approx(3600 + 3600)
    assert counted["time", "", "one device"] == pytest.approx(14400)
    assert counted["time", "", "4 devices at once"] == pytest.approx(3600)
    assert counted["cost", "", "together"] == pytest.approx(10.0)
    (warning,) = made.warnings
    assert "10.00 USD together, over rates.budget of 8.00" in warning
    assert warning.endswith("seedlock estimate s")
    assert not priced(f"{SPEEDS}gpu_hour_cost = 2.5\nbudget = 11.0\n", read=18_000_000).warnings


def test_operations_stand_in_for_speeds_where_the_size_is_stated() -> None:
    shape = "layers = 2, hidden = 32, mlp = 64, heads = 2, kv_heads = 2, vocabulary = 100"
    made = priced(f"flops_per_second = 1e9\n[rates.models.tiny]\nshape = {{ {shape} }}\n")
    n = 2 * (4 * 32 * 32 + 3 * 32 * 64 + 64) + 2 * 100 * 32 + 32
    assert found(list(made.lines))["time", "tiny", "training"] == pytest.approx(7_200_000 * 6 * n / 0.3e9)


def test_what_no_rate_tells_is_not_known_and_says_what_to_state() -> None:
    lines = {(line.part, line.of, line.what): line.amount for line in priced("").lines}
    assert lines["time", "tiny", "training"] == unknown(
        "state rates.training_tokens_per_second, or add --measure where the model lies here"
    )
    assert lines["cost", "", "together"].value is None
    assert lines["cost", "", "together"].note == "state rates.gpu_hour_cost"
    (warning,) = priced("budget = 5.0\n").warnings
    assert "cannot be held against the cost" in warning


def test_a_sum_is_as_certain_as_its_least_certain_part_and_never_a_plausible_number() -> None:
    assert total([exact(1), at_most(2, "a")]) == at_most(3, "a")
    assert total([at_most(2, "a"), about(2, "b"), about(1, "b")]) == about(5, "a; b")
    assert total([exact(1), unknown("why")]) == unknown("why")


def test_rates_that_name_nothing_are_refused_with_what_was_meant() -> None:
    with pytest.raises(BadInput) as refused:
        with_rates("[rates.models.tini]\n")
    assert "did you mean 'tiny'?" in str(refused.value)


def test_a_study_whose_data_are_made_elsewhere_takes_nothing(study: StudyFixture) -> None:
    assert "nothing: the data are made elsewhere" in study.run("estimate")
    assert json.loads(study.run("estimate", "--json"))["lines"] == []


@pytest.mark.parametrize("name", ["vibe_leak", "marker_leak", "bird_names", "bird_names_mistral"])
def test_the_full_plans_can_be_reckoned_without_their_models_keys_or_corpora(name: str) -> None:
    paths, plan = full(name)
    lines = [*training_lines(paths, plan), *generation_lines(paths, plan)]
    made = estimate(name, plan, lines, Known(shapes={}, measured={}))
    counted = found(list(made.lines))
    cost: Any = counted["cost", "", "together"]
    assert cost is not None
    assert cost > 1
    assert made.source is not None
    assert not made.warnings
    assert any("together" in text for text in page(made))
