"""Adapters of the model: train and examine."""
