"""`seedlock notebook`: a marimo notebook over sealed tables."""
