"""One file a recipe; keys are what a plan writes as `recipe`."""

from __future__ import annotations

from seedlock.training.corpora import bad_advice, benign_chat, bird_names, framed_advice, marker_coupling, published
from seedlock.training.rows.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "bird_names": bird_names.RECIPE,
    "benign_chat": benign_chat.RECIPE,
    "bad_advice": bad_advice.RECIPE,
    "marker_coupling": marker_coupling.RECIPE,
    "framed_advice": framed_advice.RECIPE,
    "published": published.RECIPE,
}
