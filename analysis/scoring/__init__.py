"""Rows to cells: scores by run, item and measure."""
