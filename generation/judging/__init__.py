"""What every judge has in common: which texts it is given, blind to what, and what becomes of each."""
