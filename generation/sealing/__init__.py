"""The store to sealed Parquet, and back after a loss."""
