"""The lock, the ledger and the gates; looks that are due, deviations."""
