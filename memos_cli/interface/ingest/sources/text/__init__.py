"""Sources for people: Markdown, web pages, plain text."""
