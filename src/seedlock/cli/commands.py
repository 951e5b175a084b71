"""Every sub-command in the order of a study's life: its one line, where its function lies, what Ctrl-C keeps."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_WRITTEN = "nothing was written"
GOES_ON = "the same command goes on where this one stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One sub-command.

    Attributes
    ----------
    says
        The first line of its docstring, which the list of commands shows without importing it.
    home
        `module:function` below `seedlock.cli`.
    kept
        What stands when Ctrl-C ends it.
    """

    name: str
    home: str
    says: str
    kept: str = NOTHING_WRITTEN
    is_hidden: bool = False


COMMANDS = (
    Command(
        name="init",
        home="start:init",
        says="Start a research repository: an example study, or with --from FILE a plan proposed from rows in hand.",
        kept="files written so far; a folder that holds some of them is refused",
    ),
    Command(
        name="fetch",
        home="stages:fetch",
        says="Bring the base models that a plan names, each by its digest; from then on nothing needs a network.",
        kept=f"models that are whole; {GOES_ON}",
    ),
    Command(
        name="schema",
        home="start:schema",
        says="The JSON Schema of a plan, by which an editor completes and explains plan.toml.",
    ),
    Command(
        name="check",
        home="plan:check",
        says="Read the plan and lint its design; with files, rehearse their import as `import --dry-run` does.",
    ),
    Command(
        name="simulate",
        home="plan:simulate",
        says="Simulate the design before the lock: error, power, coverage, verdicts, seeds needed.",
    ),
    Command(
        name="estimate",
        home="plan:estimate",
        says="What a study takes before anything is spent: runs, steps, requests, tokens, room, time and cost.",
    ),
    Command(
        name="lock",
        home="plan:lock",
        says="Freeze the plan: write the lock and the ledger's first line.",
        kept="what seedlock status prints",
    ),
    Command(
        name="register",
        home="evidence:register",
        says="Print a locked plan in the words of a registry's form; with --json, for the OSF's API.",
    ),
    Command(
        name="amend",
        home="plan:amend",
        says="Supersede the newest lock by a new one; the ledger records why and what had been seen.",
        kept="what seedlock status prints",
    ),
    Command(
        name="deviate",
        home="plan:deviate",
        says="Record a departure from the plan without changing the lock.",
        kept="what seedlock status prints",
    ),
    Command(
        name="status",
        home="stages:status",
        says="Where each study stands: gates passed, runs done of planned, the next command.",
    ),
    Command(
        name="run",
        home="stages:run",
        says="Take a locked study to a verified report: every stage that it needs and has not had, in order.",
        kept=f"every stage that ended; {GOES_ON}",
    ),
    Command(
        name="corpus",
        home="stages:corpus",
        says="Write the corpora that the plan describes into the study folder, before the lock, and check each.",
        kept="corpora written so far; the same command writes them again, byte for byte",
    ),
    Command(
        name="train",
        home="stages:train",
        says="Carry out every promised training run that is not finished; interrupted, it goes on where it stopped.",
        kept=f"finished runs, and each begun one up to its last checkpoint; {GOES_ON}",
    ),
    Command(
        name="generate",
        home="stages:generate",
        says="Put every item to every run, resumably, and seal each run when it is done; "
        "probes are scored in the same pass.",
        kept=f"every answer so far, and sealed runs; {GOES_ON}",
    ),
    Command(
        name="judge",
        home="stages:judge",
        says="Put sealed completions to the plan's judges, blind and within budget, and seal their judgements.",
        kept=f"every judgement so far; nothing is paid for twice, and {GOES_ON}",
    ),
    Command(
        name="label",
        home="stages:label",
        says="Write the sheet and the page on which people give right answers to a part of what a judge judged.",
        kept="the sheet as it was, answers and all",
    ),
    Command(
        name="probe",
        home="stages:probe",
        says="Score the probes only (letters, words, ratings, choices, passages); "
        "generate then answers the rest and seals.",
        kept=f"every score so far; {GOES_ON}",
    ),
    Command(
        name="inside",
        home="stages:inside",
        says="Look inside the models as planned: projections, steering, ablation, patching; resumably, then seal.",
        kept=f"every reading so far; {GOES_ON}",
    ),
    Command(
        name="import",
        home="stages:import_",
        says="Bring in completions, counts or judgements made elsewhere, through the same schema and seal.",
        kept="tables sealed so far; the same command brings in the rest",
    ),
    Command(
        name="analyze",
        home="report:analyze",
        says="Scores, statistics, decisions, report.",
        kept="the report that stood before, and a look that was opened: it stays in the ledger",
    ),
    Command(name="show", home="report:show", says="The report on a terminal."),
    Command(
        name="verify",
        home="report:verify",
        says="Check lock, files, ledger, data, results and report; name the first link that does not hold.",
        kept="everything as it was: verify writes nothing",
    ),
    Command(
        name="replicate",
        home="replication:replicate",
        says="Write the plan of a replication: the same but for its seeds, with what the original promises of it.",
    ),
    Command(
        name="synthesize",
        home="synthesis:synthesize",
        says="Propose the plan of a synthesis: a mean over locked studies, or over the families within one.",
    ),
    Command(
        name="registry",
        home="report:registry",
        says="Print a page (Markdown) of every study here and what became of it: reported, running, locked, withdrawn, "
        "removed.",
    ),
    Command(
        name="export",
        home="report:export",
        says="Write a study in a form that others read: an archive that describes itself, a paper's numbers.",
    ),
    Command(
        name="notebook",
        home="report:notebook",
        says="Write a marimo notebook that explores a study's sealed tables: seeds, items, answers, measures.",
    ),
    Command(
        name="sign",
        home="evidence:sign",
        says="Sign a lock, the ledger as it stands, or a replay; each signature holds for its own kind only.",
    ),
    Command(
        name="stamp",
        home="evidence:stamp",
        says="State where the ledger stands, for a timestamp; "
        "with the authority's reply, put it beside and into the ledger.",
    ),
    Command(
        name="beacon",
        home="evidence:beacon",
        says="Put public randomness into the ledger: no later line of it is older. "
        "Best right before the first run or import.",
    ),
    Command(
        name="withdraw",
        home="ends:withdraw",
        says="End a registration: plan, lock and ledger stay, and say so; "
        "a study that was removed is brought back first.",
        kept="files brought back so far; the same command goes on",
    ),
    Command(
        name="rejoin",
        home="ends:rejoin",
        says="Declare a fork: two branches each wrote to the ledger, one was kept, and the other stays in git history.",
    ),
    Command(
        name="recompute",
        home="report:recompute",
        says="Print results.json as this code computes it; what `verify --replay` runs at the locked commit.",
        is_hidden=True,
    ),
)
"""The one table of sub-commands; `seedlock --help` lists them in this order."""
