"""Train adapters from memories (parametric memory)."""
