"""How fast this study's finished stages trained, from the records they left."""

from __future__ import annotations

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.plan import Plan


def measured_speeds(paths: StudyPaths, plan: Plan) -> dict[str, float]:
    """Model -> training tokens a second, over the finished stages of its runs that are on this machine.

    Of a stage that was killed and resumed, over what was trained since: its seconds are counted from there.
    """
    model_of = {model.revision: name for name, model in plan.models.items()}
    tokens: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for record in sorted((paths.runs / "stages").glob("*/stage.json")):
        metrics = record.parent / "metrics.jsonl"
        lines = metrics.read_bytes().splitlines() if metrics.is_file() else []
        name = model_of.get(str(read_json(record.read_bytes()).get("base_revision")))
        last = read_json(lines[-1]) if lines else {}
        if name is not None and last.get("seconds") and last.get("tokens_per_s"):
            tokens[name] = tokens.get(name, 0.0) + last["tokens_per_s"] * last["seconds"]
            seconds[name] = seconds.get(name, 0.0) + last["seconds"]
    return {name: tokens[name] / seconds[name] for name in tokens}
