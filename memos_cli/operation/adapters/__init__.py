"""Training sets, training, the gate and the routing of adapters."""
