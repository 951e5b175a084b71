"""Tested hypotheses to entries of results.json and their words."""
