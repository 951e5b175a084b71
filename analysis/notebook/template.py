"""Explore one study: seeds, items, answers, measures. What is seen here is exploratory; the report is the answer."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A study, explored")

with app.setup:
    import marimo as mo
    import matplotlib.pyplot as plt
    import pandas as pd

    import seedlock

    plt.rcdefaults()  # a matplotlibrc in the working folder can have programs run

    STUDY, ROOT = "example", None


@app.cell
def opening():
    study = seedlock.Study(STUDY, root=ROOT)
    tables = {name: study.table(name) for name in study.tables}
    mo.md(
        f"""# {study.plan.study.title}

        {study.plan.study.question}

        {study!r}. Nothing found on this page was promised: it can suggest the next plan, not decide this one."""
    )
    return study, tables


@app.cell
def promised_and_found(study):
    is_reported = study.has_report
    rows = [
        {
            "id": h.id,
            "claim": h.claim,
            "estimate": h.estimate,
            "interval": None if h.ci is None else f"[{h.ci[0]:.3g}, {h.ci[1]:.3g}]",
            "units": h.n_units,
            "decision": h.decision,
            "reasons": "; ".join(h.reasons),
        }
        for h in (study.results.hypotheses if is_reported else [])
    ]
    mo.vstack(
        [
            mo.md("## What was promised, and what came of it"),
            mo.ui.table(pd.DataFrame(rows), selection=None)
            if rows
            else mo.md(f"No report yet: `seedlock analyze {study.paths.name}`."),
        ]
    )
    return


@app.cell
def scored(study, tables):
    cells = study.cells()
    factors = [name for name in tables["runs"].columns if name not in {"run_id", "seed"}]
    measure = mo.ui.dropdown(sorted(cells["measure"].unique()), value=cells["measure"].iloc[0], label="measure")
    group = mo.ui.dropdown(factors, value="arm", label="one colour a")
    mo.vstack([mo.md("## Runs"), mo.hstack([measure, group], justify="start")])
    return cells, group, measure


@app.cell
def seeds(cells, group, measure):
    chosen = cells[(cells["measure"] == measure.value) & cells["mean"].notna()]
    runs = chosen.groupby([group.value, "run_id"], dropna=False)["mean"].mean().reset_index()
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.45 * runs[group.value].nunique()), layout="constrained")
    for _row, (_level, _means) in enumerate(runs.groupby(group.value, dropna=False)["mean"]):
        axes.plot(_means, [_row] * len(_means), "o", alpha=0.6)
        axes.annotate(
            f"{_level}  ({len(_means)} runs)", (0.01, _row + 0.2), xycoords=("axes fraction", "data"), fontsize=8
        )
    axes.set(yticks=[], ylim=(-0.6, runs[group.value].nunique() - 0.2), xlabel=f"{measure.value}: one dot a run")
    axes.spines[["left", "top", "right"]].set_visible(False)
    figure
    return (chosen,)


@app.cell
def items(chosen):
    by_item = (
        chosen.groupby("item_id")["mean"]
        .agg(["mean", "std", "count"])
        .rename(columns={"mean": "mean over runs", "std": "SD over runs", "count": "runs"})
        .sort_values("mean over runs")
        .reset_index()
    )
    mo.vstack([mo.md("## Items, from lowest to highest"), mo.ui.table(by_item, selection=None, page_size=10)])
    return


@app.cell
def answers(study, tables):
    has_answers = "completions" in tables
    answers_table = study.completions() if has_answers else pd.DataFrame()
    said = mo.ui.text(label="answers that contain", placeholder="any text")
    mo.vstack(
        [mo.md("## Answers"), said if has_answers else mo.md("This study was made from counts: no answer is here.")]
    )
    return answers_table, has_answers, said


@app.cell
def reading(answers_table, has_answers, said):
    shown = answers_table
    if has_answers and said.value:
        shown = shown[shown["text"].fillna("").str.contains(said.value, case=False, regex=False)]
    columns = [
        name
        for name in ("model", "arm", "seed", "item_id", "draw", "text", "label", "value", "status")
        if name in shown
    ]
    mo.ui.table(shown[columns], selection=None, page_size=8) if has_answers else mo.md("")
    return


@app.cell
def checking(study):
    broken = study.verify().first_failure
    mo.md(
        "## Does every link hold?\n\n"
        + ("Yes." if broken is None else f"**No**: {broken.id} {broken.what}.")
        + f" `seedlock verify {study.paths.name}` lists every check."
    )
    return


if __name__ == "__main__":
    app.run()
