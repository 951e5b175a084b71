"""The design, simulated before the lock: how often the planned rules would be right, wrong or undecided."""
