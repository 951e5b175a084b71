"""`seedlock verify`: every link from the lock to the report, and the evidence for its time."""
