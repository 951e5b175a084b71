"""The schema of results.json, nothing else."""
