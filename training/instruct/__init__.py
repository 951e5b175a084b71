"""Corpora written by an instruct model: whom to ask, and what of the answers to keep."""
