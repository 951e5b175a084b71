"""Training rows: what one is, how a corpus is written before the lock and read behind it."""
