"""Tables to scores to estimates to decisions to report; never loads a model."""
