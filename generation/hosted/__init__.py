"""Models behind an API: one interface for single requests and batches, in which nothing is paid for twice.

`open_place(provider, settings, folder)` in `place.py` gives a `Place`. `place.submit(asks)` puts everything into
batches where the settings say so, and does nothing otherwise. `place.outcomes(asks)` yields exactly one `Outcome` for
each `Ask`, as they come. All of it may be killed and called again: what was answered, or may have been, is in `folder`.
"""
