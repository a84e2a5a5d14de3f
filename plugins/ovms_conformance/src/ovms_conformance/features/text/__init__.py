"""The features of models that generate text: chat, completions, responses and what goes with them."""
