"""The Bayesian seed hierarchy: counts or means per unit in, decisions about new units out."""

import os

# Numba follows a `.numba_config.yaml` in the working folder, which may be a stranger's, and runs what lies in the cache
# that it names. The environment goes before that file: without a name, the cache is the one beside the code.
os.environ.setdefault("NUMBA_CACHE_DIR", "")
