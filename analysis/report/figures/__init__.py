"""Figures of the report: each takes estimates or draws, never rows, and answers one question."""
