"""The literature a report leans on, beside what each estimator's own file cites."""

from __future__ import annotations

from seedlock.analysis.estimators.internals.estimator import Source
from seedlock.analysis.report.text.pieces import Link


def cited(source: Source) -> Link:
    """A source as a link of the page."""
    return Link(source.text, source.url)


def _doi(label: str, doi: str) -> Link:
    return cited(Source(text=label, doi=doi))


PARTITION = _doi("Finner & Strassburger (2002), Annals of Statistics", "10.1214/aos/1031689023")
TOST = _doi("Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics", "10.1007/BF01068419")
INTERSECTION_UNION = _doi("Berger (1982), Technometrics", "10.1080/00401706.1982.10487790")
HOLM = Link("Holm (1979), Scandinavian J. of Statistics", "https://www.jstor.org/stable/4615733")
FALSE_DISCOVERY = _doi("Benjamini & Hochberg (1995), J. Royal Stat. Society B", "10.1111/j.2517-6161.1995.tb02031.x")
RHAT = _doi("Vehtari et al. (2021), Bayesian Analysis", "10.1214/20-BA1221")
DUNNETT = _doi("Dunnett (1955), J. American Statistical Association", "10.1080/01621459.1955.10501294")
NUTS = _doi("Hoffman & Gelman (2014), preprint", "10.48550/arXiv.1111.4246")
GROUP_SD = _doi("Gelman (2006), Bayesian Analysis", "10.1214/06-BA117A")
PYMC = _doi("Abril-Pla et al. (2023), PeerJ Computer Science", "10.7717/peerj-cs.1516")
BAMBI = _doi("Capretto et al. (2022), J. of Statistical Software", "10.18637/jss.v103.i15")
