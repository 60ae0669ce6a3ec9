"""Embedders: multilingual-e5, GGUF models, static BERT."""
