"""Train an adapter: the forward pass and its gradient."""
