"""llama.cpp: engine, prompts, states, adapters."""
