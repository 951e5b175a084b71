"""The Bayesian seed hierarchy: counts or means per unit in, decisions about new units out."""
