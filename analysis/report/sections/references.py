"""The literature a report leans on, by the plan's own words for a method."""

from __future__ import annotations

from analysis.report.pieces import Link

PARTITION = Link("Finner & Strassburger (2002), Annals of Statistics", "https://doi.org/10.1214/aos/1031689023")
TOST = Link("Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics", "https://doi.org/10.1007/BF01068419")
INTERSECTION_UNION = Link("Berger (1982), Technometrics", "https://doi.org/10.1080/00401706.1982.10487790")
HOLM = Link("Holm (1979), Scandinavian J. of Statistics", "https://www.jstor.org/stable/4615733")
FALSE_DISCOVERY = Link(
    "Benjamini & Hochberg (1995), J. of the Royal Statistical Society B",
    "https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
)
RHAT = Link("Vehtari et al. (2021), Bayesian Analysis", "https://doi.org/10.1214/20-BA1221")
GROUP_SD = Link("Gelman (2006), Bayesian Analysis", "https://doi.org/10.1214/06-BA117A")
PYMC = Link("Abril-Pla et al. (2023), PeerJ Computer Science", "https://doi.org/10.7717/peerj-cs.1516")
BAMBI = Link("Capretto et al. (2022), J. of Statistical Software", "https://doi.org/10.18637/jss.v103.i15")
STUDENT = Link("Student (1908), Biometrika", "https://doi.org/10.1093/biomet/6.1.1")
WELCH = Link("Welch (1947), Biometrika", "https://doi.org/10.1093/biomet/34.1-2.28")
WILSON = Link(
    "Wilson (1927), J. of the American Statistical Association", "https://doi.org/10.1080/01621459.1927.10502953"
)
CLOPPER_PEARSON = Link("Clopper & Pearson (1934), Biometrika", "https://doi.org/10.1093/biomet/26.4.404")
BINOMIAL = Link("Brown, Cai & DasGupta (2001), Statistical Science", "https://doi.org/10.1214/ss/1009213286")
SATTERTHWAITE = Link(
    "Pustejovsky & Tipton (2018), J. of Business & Economic Statistics", "https://doi.org/10.1080/07350015.2016.1247004"
)

TESTS: dict[str, tuple[str, tuple[Link, ...]]] = {
    "one_sample_t": (
        "a t interval on the means of the units: each unit weighs the same, however many answers it gave",
        (STUDENT,),
    ),
    "pooled_t": (
        "a t interval on unit means with one variance pooled over the levels, degrees of freedom fixed by the plan",
        (STUDENT,),
    ),
    "welch_t": (
        "a t interval on unit means with each level's own variance and Satterthwaite degrees of freedom",
        (WELCH,),
    ),
    "paired_t": ("a t interval on within-unit contrasts: units are matched by name across the levels", (STUDENT,)),
    "wilson": ("a Wilson score interval, conditional on these runs; no seed-level claim", (WILSON, BINOMIAL)),
    "jeffreys": ("a Jeffreys interval, conditional on these runs; no seed-level claim", (BINOMIAL,)),
    "clopper_pearson": (
        "an exact binomial interval, conditional on these runs; no seed-level claim",
        (CLOPPER_PEARSON,),
    ),
    "clustered_t": (
        "a t interval on item means: answers to one question count as one cluster, not as independent",
        (STUDENT,),
    ),
    "cr2": (
        "a regression contrast with bias-reduced cluster-robust variance and Satterthwaite degrees of freedom",
        (SATTERTHWAITE,),
    ),
}
"""`test` key of a plan -> what it does, in one clause, and its sources."""
