"""The served models: what users call them, where their files come from, and how they come up and go."""
