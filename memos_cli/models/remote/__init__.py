"""Models that another program serves: llama-server, Ollama, LM Studio, and OpenAI-compatible servers."""
