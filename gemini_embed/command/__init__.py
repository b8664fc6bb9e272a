"""The commands of `python -m gemini_embed`, each with its arguments and what it prints."""
