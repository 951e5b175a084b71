"""What we said we would do, frozen: plan, check, lock, ledger, gate, amend, verify."""
