"""Readings of the inside of models, as cells that ordinary hypotheses are tested on."""
