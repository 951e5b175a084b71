"""A paper's numbers: each value of results.json under a key, as LaTeX, and held to the results where a text uses it."""
