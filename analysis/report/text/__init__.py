"""Numbers, quotes and lines bound to results.json."""
