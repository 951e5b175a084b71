"""Estimators that no plan reaches yet."""
