"""`seedlock corpus`: the rows that a plan describes, written and checked."""
