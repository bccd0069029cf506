"""Two devices, whatever the machine: set before the first test of any package starts JAX.

What was compiled is kept, however quick it was, so that only the first run has to compile.
"""

from __future__ import annotations

import jax

from backprove.training import devices

jax.config.update("jax_num_cpu_devices", 2)
devices()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
