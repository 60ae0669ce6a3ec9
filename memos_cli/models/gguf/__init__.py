"""GGUF files: headers, model families, adapters."""
