"""One tree of errors, grouped by whose fault it is; the exit code says which link gave way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from seedlock.prereg.printable import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mismatch: where it is, what was found there and what was promised.

    All three may quote a stranger's repository: what would steer a terminal is spelled out.
    """

    where: str
    found: str
    promised: str

    def __post_init__(self) -> None:
        for name in ("where", "found", "promised"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        return f"  {self.where}\n      found     {self.found}\n      promised  {self.promised}"


class SeedlockError(Exception):
    """Anything Seedlock refuses, with every mismatch at once and the next command to type.

    Parameters
    ----------
    what
        One line: what does not hold.
    findings
        Every mismatch, collected before raising.
    then
        The next command, or what to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *findings: Finding, then: str = "") -> None:
        super().__init__(what)
        self.what = printable(what)
        self.findings = findings
        self.then = printable(then)

    def __str__(self) -> str:
        lines = [f"{type(self).__name__}: {self.what}", *map(str, self.findings)]
        if self.then:
            lines.append(f"Next: {self.then}")
        return "\n".join(lines)


class BadInput(SeedlockError):
    """The plan, a table or an argument cannot be used as it is."""

    exit_code = 2


class UnreadableFile(BadInput):
    """A file is missing, a link, a device, too large, or not text where text was promised."""


class CorpusRefused(BadInput):
    """A corpus fails a check that stands before training."""


class LockedFileChanged(SeedlockError):
    """A file's bytes differ from the digest in the lock."""

    exit_code = 3


class ReportRefused(SeedlockError):
    """A report says something that its results do not: an unbound number, two truths, a verdict too strong."""

    exit_code = 3


class LedgerBroken(SeedlockError):
    """The ledger's chain of digests does not hold."""

    exit_code = 4


class OutOfOrder(SeedlockError):
    """A stage was asked for before the one it depends on."""

    exit_code = 5


class Incomplete(SeedlockError):
    """Planned runs, rows or files are missing."""

    exit_code = 6


class BadSignature(SeedlockError):
    """A signature or timestamp does not verify."""

    exit_code = 8


class EvidenceAbsent(SeedlockError):
    """The evidence level that was required is not reached."""

    exit_code = 9


class NotReproduced(SeedlockError):
    """A replay gave numbers outside the locked tolerances."""

    exit_code = 10


class EnvironmentDiffers(SeedlockError):
    """The installed packages are not those of the locked environment."""

    exit_code = 11


class NotInstalled(EnvironmentDiffers):
    """A stage needs libraries that this environment lacks."""


class Refusal(SeedlockError):
    """An estimator has no answer for this input; `code` is the reason that results.json carries.

    A refusal is not a failure: the analysis goes on and reports the number as null with this reason.
    """

    code: ClassVar[str] = "refused"


class TooFewUnits(Refusal):
    """Fewer replication units (seeds, say) than the method needs for a standard error."""

    code = "too-few-units"


class NoSpread(Refusal):
    """Every unit gave the same number: there is no standard error and no t statistic."""

    code = "no-spread"


class EmptyCell(Refusal):
    """A level of the contrast has no scored answer at all."""

    code = "empty-cell"


class NotFinite(Refusal):
    """A value is NaN or infinite where a number was promised."""

    code = "not-finite"


class UnmetName(Refusal):
    """The plan names a value that no row of the data has: what is left is not what was planned."""

    code = "unmet-name"


class NotPaired(Refusal):
    """A paired method was asked for, and the units of the levels do not match."""

    code = "not-paired"


class DuplicatedSeeds(Refusal):
    """Two seeds gave byte-identical completions: they are one run counted twice."""

    code = "duplicated-seeds"


class Unattainable(Refusal):
    """No data could reach the planned level: the smallest attainable p exceeds alpha."""

    code = "unattainable"


class NotCounts(Refusal):
    """A method for counts (k of n) was asked of something that is not a count."""

    code = "not-counts"


class DiagnosticsFailed(Refusal):
    """A sampler's or model's own checks failed, so it gives no verdict."""

    code = "diagnostics-failed"


class NoDenominator(Refusal):
    """A share was asked for of something that cannot be told from nothing."""

    code = "no-denominator"


class NotThisDesign(Refusal):
    """The method answers another question than the one the sample poses (one level, two levels, counts)."""

    code = "not-this-design"
