"""Cells to tests, families, claims and looks: what decides."""
