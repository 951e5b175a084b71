"""REVIEW.md: how to check this very lock with nothing of ours installed."""

from __future__ import annotations

from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.lock.gate import LockedPlan

_PAGE = """# How to check {study} without installing anything

The lock of this study is `{lock_path}`. Its SHA-256, the **lock id**, is

    {lock_id}

Run the commands from the top of the repository. Each one checks one promise, separately.

```sh
{commands}
```

What they show:

- The first compares every locked file (plan, items, data named by the plan, schemas, measures, estimators,
  environment) with the digest in the lock. Code may have moved on since a report was published; then run it at
  the locked commit, as the second block does.
- The ledger is a chain: each line carries the digest of the line before. The loop prints `chain holds` or the
  first line that does not.
- The sealed data carry the digests that the ledger recorded when they arrived.
- The report's files are listed, with digests, in `manifest.sha256`; the ledger's last `report.built` names the
  digest of that list.

Without a terminal: drop the folder of this repository on `check.html`, one offline page of Seedlock's documentation
that checks the same and computes headline numbers again from the sealed rows. Take it from there, never from the
authors of a study; the one that came with the Seedlock of this report has the SHA-256

    {check_page_sha256}

With Seedlock installed, `seedlock verify {study}` does all of it, checks every printed number against
`results.json`, and `seedlock verify {study} --replay` runs the analysis again.

What no local check can know: runs that were made and never entered here, and a history that was rewritten before
anyone else had a copy. The commit time is its author's word. A signature says who, a timestamp says not later than.
"""


def review_commands(locked: LockedPlan) -> str:
    """Shell commands for this lock: coreutils, git, and nothing else."""
    paths, study = locked.paths, locked.paths.name
    newest = f"lockfiles/{study}/lock-{locked.lock.n:04d}"
    lines = [
        "# 1. these bytes are the plan, the data it names and the code that judged them",
        f"sha256sum -c --strict --quiet {newest}.sha256 && echo 'lock holds'",
    ]
    if locked.lock.commit is not None:
        lines += [
            "# 2. the same, at the commit the lock was made on (when code has moved on since)",
            f"git worktree add --detach ../{study}-at-lock {locked.lock.commit}",
        ]
    lines += [
        "# 3. when the lock entered history (its author's clock), and where it was published",
        f"git log --diff-filter=A --format='%H %cI' -- {newest}.json",
        "# 4. the ledger is one unbroken chain",
        "prev=null; while IFS= read -r line; do",
        '  case "$line" in *"\\"prev\\":$prev"*) ;; *) echo "broken: $line"; break;; esac',
        "  prev='\"'$(printf '%s\\n' \"$line\" | sha256sum | cut -d' ' -f1)'\"'",
        f'done < lockfiles/{study}/ledger.jsonl; test "$prev" = '
        f"'\"'$(cat lockfiles/{study}/ledger.head)'\"' && echo 'chain holds'",
        "# 5. the report, its figures, its results and the sealed data",
        f"( cd reports/{study} && sha256sum -c --strict --quiet manifest.sha256 ) && echo 'report holds'",
        f"grep -c \"$(sha256sum reports/{study}/manifest.sha256 | cut -d' ' -f1)\" {paths.relative(paths.ledger)}",
    ]
    signature = f"lock-{locked.lock.n:04d}.json.sig"
    if any(event.name == "signature.added" and event.body["file"] == signature for event in locked.events):
        lines += [
            "# 6. who signed it",
            "ssh-keygen -Y verify -n seedlock-lock@v1 -f allowed_signers -I SIGNER "
            f"-s {newest}.json.sig < {newest}.json",
        ]
    return "\n".join(lines)


def review_page(locked: LockedPlan, check_page_sha256: Sha256) -> str:
    """REVIEW.md for this lock; it names the digest of `check.html` that came with this report's tool."""
    return _PAGE.format(
        study=locked.paths.name,
        lock_path=f"lockfiles/{locked.paths.name}/lock-{locked.lock.n:04d}.json",
        lock_id=locked.lock_id,
        commands=review_commands(locked),
        check_page_sha256=check_page_sha256,
    )
