"""Answers of models: made by a backend, or brought in from others' logs."""
