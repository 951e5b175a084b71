"""Items: the questions put to every model, and the attributes a contrast may select or average over."""

from __future__ import annotations

from pandera.pandas import DataFrameModel

from seedlock.schemas.table import Table


class Items(DataFrameModel):
    """One row an item of a named item set; the plan's attribute columns (persona, role ...) follow as text."""

    items: str
    item_id: str

    class Config:
        """Attributes are declared with the study; anything else is refused."""

        strict = True
        unique = ("items", "item_id")


TABLE = Table(name="items", model=Items, key=("items", "item_id"), order=("items", "item_id"), takes_columns=True)
