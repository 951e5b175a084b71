"""What judging costs, reckoned with the plan's prices, before and while it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seedlock.generation.hosted.asking import Ask, Outcome
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.judges import Budget

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is still to be paid for, before it is asked.

    Parameters
    ----------
    judge
        Its name in the plan.
    asks, known
        Requests to send, and requests whose outcome is on disk.
    cost, spent
        Of those to send, each at its longest verdict, without retries; of those on disk.
    """

    judge: str
    asks: int
    known: int
    cost: float
    spent: float
    budget: Budget

    def line(self) -> str:
        """The estimate, for a person."""
        money = self.budget.currency
        return (
            f"{self.judge}: {self.asks} requests to send, at most about {self.cost:.4g} {money}"
            f"; {self.known} known, {self.spent:.4g} {money} spent; cap {self.budget.cap:.4g} {money}"
        )

    def require_within_cap(self) -> None:
        """Refuse before anything is asked.

        Raises
        ------
        BadInput
            What is spent and what is to come exceed the cap.
        """
        if self.spent + self.cost > self.budget.cap:
            raise over_cap(self.judge, self.spent + self.cost, self.budget, "estimated")


def over_cap(judge: str, cost: float, budget: Budget, how: str) -> BadInput:
    """The refusal to spend more than the plan allows."""
    fault = Finding(
        where=f"judges.{judge}.budget",
        found=f"{cost:.4g} {budget.currency} {how}",
        promised=f"at most {budget.cap:.4g} {budget.currency}",
    )
    then = "judge fewer completions (sample = ...), or raise the cap, and amend; what was answered is kept"
    return BadInput("judging would cost more than the plan allows", fault, then=then)


def cost_of_ask(ask: Ask, budget: Budget) -> float:
    """What a request may cost: its tokens by a careful guess, and a verdict of the greatest length."""
    asked = ask.tokens - ask.max_tokens
    return (asked * budget.input_per_million + ask.max_tokens * budget.output_per_million) / MILLION


def cost_of_outcome(ask: Ask, outcome: Outcome, budget: Budget) -> float:
    """What a request did cost, as the provider counted it; what it may have cost where the provider did not say."""
    if outcome.prompt_tokens is None or outcome.new_tokens is None:
        return 0.0 if outcome.status in {"expired", "canceled"} else cost_of_ask(ask, budget)
    return (outcome.prompt_tokens * budget.input_per_million + outcome.new_tokens * budget.output_per_million) / MILLION


def total_cost(asks: Iterable[Ask], budget: Budget) -> float:
    """What requests may cost together."""
    return sum(cost_of_ask(ask, budget) for ask in asks)
