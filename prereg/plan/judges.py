"""Tables of a plan that say who judges completions, by what rule, blind to what, and what that may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, Field, field_validator, model_validator

from seedlock.prereg.plan.design import STRICT, Name
from seedlock.prereg.plan.examples import read_examples
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.hosted import Hosted
from seedlock.prereg.plan.lexicon import labels_of, read_words
from seedlock.prereg.plan.runs import Table, Where

FIRST, SECOND = "first", "second"
"""What a judge says of a pair."""
CORRECT, WRONG = "correct", "wrong"
"""What becomes of a verdict on which of two classes a text is."""

type Label = Annotated[str, Field(min_length=1, max_length=80)]


class Budget(Table):
    """`[judges.NAME.budget]`: what a judge may cost at most, and the prices that is reckoned with.

    Prices are per million tokens, in the same currency as `cap`; state those of batches where the judge is asked in
    batches.
    """

    cap: float = Field(gt=0)
    currency: str = Field(min_length=1, max_length=12)
    input_per_million: float = Field(ge=0)
    output_per_million: float = Field(ge=0)


class Pairs(Table):
    """`[judges.NAME.pairs]`: two texts at a time, one of either class; the judge says which is of the class `find`.

    The two answer items with the same attribute `by`, in the same run.
    """

    find: Label
    by: str = "question"


class JudgeTable(BaseModel):
    """What every judge says: which completions it is shown, and what is taken out of them first.

    `items` and `where` (item attributes, and model, arm or a factor of it) choose completions; without them, all that
    were answered. `classes` names two or more kinds of completions, each by an item set. `sample` judges so many
    completions a run (a run and class, where there are classes), drawn with `seed`; `with_marker` draws from those that
    hold a text of `strip`. Every text of `strip` is taken out before judging, whatever its case. With `pairs` the texts
    of two classes are judged two at a time: a forced choice.
    """

    model_config = STRICT

    items: list[Name] = []
    where: Where = {}
    classes: dict[Label, Name] = {}
    strip: list[Annotated[str, Field(min_length=1)]] = []
    with_marker: dict[Label, bool] | bool = False
    sample: int | None = Field(default=None, gt=0)
    pairs: Pairs | None = None
    seed: int = Field(default=0, ge=0)

    @field_validator("items", mode="before")
    @classmethod
    def _one_or_several(cls, items: object) -> object:
        return [items] if isinstance(items, str) else items

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if self.classes and (len(self.classes) < 2 or len(set(self.classes.values())) < len(self.classes)):
            raise ValueError("classes are two or more, each with an item set of its own")
        if self.with_marker and not self.strip:
            raise ValueError("with_marker needs strip: the marker")
        if isinstance(self.with_marker, dict) and not set(self.with_marker) <= set(self.classes):
            raise ValueError(f"with_marker names none of the classes {', '.join(self.classes) or '(there are none)'}")
        return self

    @model_validator(mode="after")
    def _pairs_are_of_two_classes(self) -> Self:
        if self.pairs is not None and (len(self.classes) != 2 or self.pairs.find not in self.classes):
            raise ValueError("pairs are of two classes, and find names one of them")
        return self

    def needs_marker(self, name: str | None) -> bool:
        """Whether completions of a class are drawn from those that hold the marker."""
        return self.with_marker.get(name or "", False) if isinstance(self.with_marker, dict) else self.with_marker


class Tested(JudgeTable):
    """A judge that is tried on texts whose answer is known, mixed among the others.

    `gold` names a JSON Lines file, each line `id`, `text`, and the right `label` or `value`; or it is a table that has
    completions of the study checked, and then names the file as `texts`. `injections` so many of the texts are put a
    second time, with a command to answer something else. Agreement below `gold_at_least` is flagged.
    """

    gold: str | Gold | None = None
    injections: int = Field(default=0, ge=0, le=1000)
    gold_at_least: float = Field(default=0.9, gt=0, le=1)

    @model_validator(mode="after")
    def _injections_need_gold(self) -> Self:
        if self.injections and self.texts is None:
            raise ValueError("injections need gold: texts whose right answer is known")
        if isinstance(self.gold, Gold) and self.classes:
            raise ValueError("a judge that separates classes is right or wrong by itself: leave the table gold out")
        return self

    @property
    def texts(self) -> str | None:
        """File of texts whose right answer is known."""
        return self.gold.texts if isinstance(self.gold, Gold) else self.gold


class LexiconJudge(Tested):
    """`kind = "lexicon"`: the label whose words a text uses most; needs no key and no model.

    `words` names a JSON file, label -> words and phrases. `borderline` is the label of a text with no such word, or as
    many of one label as of another; without it such a text has none.
    """

    kind: Literal["lexicon"]
    words: str
    borderline: Label | None = None

    @model_validator(mode="after")
    def _has_no_classes(self) -> Self:
        if self.classes:
            raise ValueError("a lexicon does not tell classes apart: leave classes out")
        return self


class ClassifierJudge(JudgeTable):
    """`kind = "classifier"`: can a local classifier tell two classes of completions apart? Needs no key.

    `reads` says what of a text it sees: "words", as characters of words, or "meaning", by the plan's [encoder]. Within
    each run, trained on other `group`s (an item attribute; questions) than the one it judges. Each completion is
    "correct" or "wrong"; the p value of the run's accuracy comes from `permutations` of the classes within groups.
    """

    kind: Literal["classifier"]
    reads: Literal["words", "meaning"] = "words"
    group: str = "question"
    folds: int = Field(default=5, ge=2, le=50)
    permutations: int = Field(default=199, ge=19, le=9999)

    @model_validator(mode="after")
    def _tells_two_apart(self) -> Self:
        if len(self.classes) != 2:
            raise ValueError("a classifier tells two classes apart: name both under classes")
        if self.pairs is not None and self.pairs.by != self.group:
            raise ValueError("both texts of a pair are of one group, which the classifier never saw: pairs.by is group")
        return self


class ExamplesJudge(Tested):
    """`kind = "examples"`: the label of the example texts that a text is most like; needs no key.

    `examples` names a JSON Lines file, each line `text`, its right `label`, and `group`: what it is about. `reads` says
    what of a text is seen, as for a classifier. A text whose two best labels score within `margin` of one another gets
    the label `borderline`, or none without it.
    """

    kind: Literal["examples"]
    examples: str
    reads: Literal["words", "meaning"] = "words"
    margin: float = Field(default=0.0, ge=0)
    borderline: Label | None = None

    @model_validator(mode="after")
    def _has_no_classes(self) -> Self:
        if self.classes:
            raise ValueError("examples do not tell classes apart: leave classes out")
        return self


class HostedJudge(Tested):
    """`kind = "anthropic"` or `"openai"`: a model behind an API, given a locked rubric and structured output.

    The verdict is one of `labels`, or a whole number of `scale` = [lowest, highest]. The judge sees the text alone, and
    the item attributes of `shows`; never run, model, arm, seed or a name of `blind`, whose values are looked for in the
    texts and counted. With `classes`, the labels are the classes and the judgement is "correct" or "wrong"; with
    `pairs` the judge answers "first" or "second". A share of `twice` is judged a second time, for kappa; a pair then in
    the other order. Texts end after `longest` characters.
    """

    kind: Literal["anthropic", "openai"]
    model: str = Field(min_length=1)
    rubric: str
    labels: list[Label] = []
    scale: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    shows: list[str] = []
    blind: list[str] = []
    twice: float = Field(default=0.1, ge=0, le=1)
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int = Field(default=200, gt=0)
    longest: int = Field(default=8000, ge=100)
    budget: Budget
    hosted: Hosted = Hosted()

    @model_validator(mode="after")
    def _one_kind_of_verdict(self) -> Self:
        ways = [bool(self.labels), self.scale is not None, bool(self.classes)]
        if sum(ways) != 1:
            raise ValueError("give labels, scale or classes, and only one of them")
        if len(self.answers) < 2 or len(set(self.answers)) != len(self.answers):
            raise ValueError("a verdict is one of at least two different answers")
        if hidden := sorted(set(self.shows) & set(self.blind)):
            raise ValueError(f"shown to the judge and hidden from it: {', '.join(hidden)}")
        return self

    @property
    def answers(self) -> tuple[str, ...] | tuple[int, ...]:
        """Every answer the judge may give."""
        if self.scale is not None:
            low, high = self.scale
            return tuple(range(low, min(high, low + 200) + 1))
        if self.pairs is not None:
            return FIRST, SECOND
        return tuple(self.labels or self.classes)


AnyJudge = LexiconJudge | ExamplesJudge | ClassifierJudge | HostedJudge
type Judge = Annotated[AnyJudge, Field(discriminator="kind")]
KINDS = tuple(kind for table in get_args(AnyJudge) for kind in get_args(table.model_fields["kind"].annotation))


def verdict_labels(judge: AnyJudge, study: Path) -> list[str] | None:
    """Every label that a judge's verdict may have; None where verdicts are numbers.

    Raises
    ------
    BadInput
        The words of a lexicon or the examples, a file in the folder `study`, are none.
    """
    if judge.classes:
        return [CORRECT, WRONG]
    if isinstance(judge, LexiconJudge):
        return labels_of(read_words(study / judge.words, judge.borderline), judge.borderline)
    if isinstance(judge, ExamplesJudge):
        return labels_of(sorted({one.label for one in read_examples(study / judge.examples)}), judge.borderline)
    return (judge.labels or None) if isinstance(judge, HostedJudge) else None


def files_of(judge: AnyJudge) -> dict[str, str]:
    """Key -> file that a judge names; the lock pins each."""
    named = {key: getattr(judge, key, None) for key in ("words", "examples", "rubric")}
    named["gold"] = getattr(judge, "texts", None)
    return {key: file for key, file in named.items() if file is not None}
