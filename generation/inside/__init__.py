"""Looking inside a model: readings of the residual stream, and what changing it does."""
