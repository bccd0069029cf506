"""Two devices, whatever the machine: set before the first test of any package starts JAX."""

from __future__ import annotations

import jax

from backprove.training import devices

jax.config.update("jax_num_cpu_devices", 2)
devices()
