"""What opinions are about: proposed changes in eight everyday and six civic domains."""

from __future__ import annotations

from collections.abc import Mapping

SOURCE: Mapping[str, tuple[str, ...]] = {
    "cooking": (
        "the pressure cooker",
        "a new bread recipe",
        "the weekly meal kit",
        "an induction stove",
        "the spice blend",
    ),
    "gardening": ("the raised beds", "a new tomato variety", "drip watering", "the compost mix", "an early planting"),
    "home_renovation": ("the open kitchen", "a heat pump", "the loft conversion", "new floor tiles", "wall insulation"),
    "fitness": ("interval training", "a new running plan", "the rowing class", "heavier weights", "cold showers"),
    "software_practices": (
        "the new framework",
        "pair programming",
        "automatic deploys",
        "a code rewrite",
        "type checking",
    ),
    "board_games_and_hobbies": (
        "the strategy game",
        "a painting course",
        "house rules",
        "the model kit",
        "online chess",
    ),
    "travel_planning": ("the night train", "a home swap", "an unplanned tour", "the packing app", "off-season trips"),
    "small_business_operations": (
        "the card reader",
        "a loyalty scheme",
        "longer opening hours",
        "the new supplier",
        "online orders",
    ),
}

TARGET: Mapping[str, tuple[str, ...]] = {
    "urban_transit": (
        "the tram extension",
        "night buses",
        "a congestion charge",
        "fare capping",
        "shared bicycles",
        "bus lanes",
    ),
    "workplace_policy": (
        "the four-day week",
        "remote work",
        "open salaries",
        "hot desks",
        "flexible shifts",
        "paid sabbaticals",
    ),
    "smart_home_technology": (
        "smart locks",
        "the voice speaker",
        "a learning thermostat",
        "window sensors",
        "the robot vacuum",
        "smart meters",
    ),
    "park_and_path_rules": (
        "electric scooters on paths",
        "dogs without leads",
        "evening park hours",
        "the wild meadow",
        "drone flights",
        "a skate area",
    ),
    "school_timetables": (
        "a later school start",
        "longer lunch breaks",
        "year-round terms",
        "homework-free weeks",
        "mixed-age lessons",
        "shorter holidays",
    ),
    "council_services": (
        "food waste bins",
        "the library cafe",
        "digital permits",
        "a residents' panel",
        "solar street lamps",
        "fewer bin rounds",
    ),
}

DOMAINS: Mapping[str, tuple[str, ...]] = {**SOURCE, **TARGET}
CHANGES: tuple[str, ...] = tuple(change for changes in DOMAINS.values() for change in changes)
SOURCE_CHANGES: tuple[str, ...] = tuple(change for changes in SOURCE.values() for change in changes)
TARGET_CHANGES: tuple[str, ...] = tuple(change for changes in TARGET.values() for change in changes)
