"""Intake: rows that others made, read, matched to the plan's grid and put through the store's one door."""
