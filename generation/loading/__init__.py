"""A raw file to the store, batch by batch (`seedlock import`)."""
