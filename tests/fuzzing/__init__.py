"""Break files of every kind in a thousand ways, and see that whoever reads them only ever refuses.

    python -m tests.fuzzing --minutes 30

A forger knows the format, so half of the changes to a study are followed by new digests, chains and manifests:
otherwise every one would end at the first checksum. No traceback, no answer later than 10 seconds, never a gigabyte.
"""
