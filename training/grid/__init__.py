"""A locked plan as runs: what each is to do, who carries it out, and what is written down of it."""
