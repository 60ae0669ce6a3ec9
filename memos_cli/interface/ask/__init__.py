"""From a question to an answer: parse, resolve times, plan, prompt, answer."""
