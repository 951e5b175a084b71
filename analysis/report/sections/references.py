"""The literature a report leans on, by the plan's own words for a method."""

from __future__ import annotations

from urllib.parse import quote

from seedlock.analysis.report.text.pieces import Link

_SEEDS = "each unit weighs the same, however many answers it gave"
_THESE = "conditional on these runs, with no claim about other seeds"


def _doi(label: str, doi: str) -> Link:
    """A reference; brackets of old DOIs are escaped, which HTML and Markdown both read."""
    return Link(label, f"https://doi.org/{quote(doi, safe='/:;.-')}")


PARTITION = _doi("Finner & Strassburger (2002), Annals of Statistics", "10.1214/aos/1031689023")
TOST = _doi("Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics", "10.1007/BF01068419")
INTERSECTION_UNION = _doi("Berger (1982), Technometrics", "10.1080/00401706.1982.10487790")
HOLM = Link("Holm (1979), Scandinavian J. of Statistics", "https://www.jstor.org/stable/4615733")
FALSE_DISCOVERY = _doi("Benjamini & Hochberg (1995), J. Royal Stat. Society B", "10.1111/j.2517-6161.1995.tb02031.x")
RHAT = _doi("Vehtari et al. (2021), Bayesian Analysis", "10.1214/20-BA1221")
GROUP_SD = _doi("Gelman (2006), Bayesian Analysis", "10.1214/06-BA117A")
PYMC = _doi("Abril-Pla et al. (2023), PeerJ Computer Science", "10.7717/peerj-cs.1516")
BAMBI = _doi("Capretto et al. (2022), J. of Statistical Software", "10.18637/jss.v103.i15")
STUDENT = _doi("Student (1908), Biometrika", "10.1093/biomet/6.1.1")
WELCH = _doi("Welch (1947), Biometrika", "10.1093/biomet/34.1-2.28")
WILSON = _doi("Wilson (1927), J. American Statistical Association", "10.1080/01621459.1927.10502953")
CLOPPER_PEARSON = _doi("Clopper & Pearson (1934), Biometrika", "10.1093/biomet/26.4.404")
BINOMIAL = _doi("Brown, Cai & DasGupta (2001), Statistical Science", "10.1214/ss/1009213286")
CLUSTERS = _doi("Miller (2024), preprint", "10.48550/arXiv.2411.00640")
SMALL_CLUSTERS = _doi("Pustejovsky & Tipton (2018), J. Business & Economic Statistics", "10.1080/07350015.2016.1247004")
CROSSED = _doi("Judd, Westfall & Kenny (2012), J. Personality and Social Psychology", "10.1037/a0028347")
BRUNNER_MUNZEL = _doi(
    "Brunner & Munzel (2000), Biometrical J.", "10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U"
)
NEWCOMBE = _doi(
    "Newcombe (1998), Statistics in Medicine", "10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I"
)
NEWCOMBE_PAIRED = _doi(
    "Newcombe (1998), Statistics in Medicine", "10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C"
)
PERMUTATION = _doi("Pitman (1937), J. Royal Stat. Society Supplement", "10.2307/2984124")
WILD = _doi("Cameron, Gelbach & Miller (2008), Rev. Economics and Statistics", "10.1162/rest.90.3.414")

TESTS: dict[str, tuple[str, tuple[Link, ...]]] = {
    "one_sample_t": (f"a t interval on the means of the units: {_SEEDS}", (STUDENT,)),
    "pooled_t": (f"a t interval on unit means with one variance pooled over the levels: {_SEEDS}", (STUDENT,)),
    "welch_t": ("a t interval on unit means with each level's own variance (Satterthwaite's df)", (WELCH,)),
    "paired_t": ("a t interval on within-unit contrasts: units are matched by name across the levels", (STUDENT,)),
    "clustered_t": ("a t interval on item means: answers to one question are one cluster", (CLUSTERS,)),
    "cr2": ("a least-squares contrast with bias-reduced cluster-robust variance, units as clusters", (SMALL_CLUSTERS,)),
    "crossed": ("a mixed model with units and items crossed at random, so that it speaks of new items too", (CROSSED,)),
    "permutation": ("an exact test and interval that count every assignment of units to arms", (PERMUTATION,)),
    "sign_flip": ("an exact test and interval that count every sign pattern of within-unit contrasts", (PERMUTATION,)),
    "wild_cluster": ("a contrast of unit means tested by a restricted wild bootstrap with every sign pattern", (WILD,)),
    "brunner_munzel": ("the probability that a unit of one arm exceeds a unit of the other", (BRUNNER_MUNZEL,)),
    "wilson": (f"a Wilson score interval, {_THESE}", (WILSON, BINOMIAL)),
    "jeffreys": (f"a Jeffreys interval, {_THESE}", (BINOMIAL,)),
    "clopper_pearson": (f"an exact binomial interval, {_THESE}", (CLOPPER_PEARSON,)),
    "newcombe": (f"a hybrid score interval for a difference of rates, {_THESE}", (NEWCOMBE,)),
    "newcombe_paired": (f"a hybrid score interval for paired answers, {_THESE}", (NEWCOMBE_PAIRED,)),
}  # fmt: skip
"""`test` key of a plan -> what it does, in one clause, and its sources."""
