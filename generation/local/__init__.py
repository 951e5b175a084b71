"""A model in this process: loading, decoding a batch, scoring options."""
