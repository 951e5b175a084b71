"""What generation, judging and looking inside take, for `seedlock estimate`."""
