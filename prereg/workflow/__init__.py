"""Where a study stands and what comes next: `init`, `status`, `run`."""
