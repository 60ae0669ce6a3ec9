"""The lower layer: the vault on disk. It never calls a model."""
