"""What training takes, for `seedlock estimate`."""
