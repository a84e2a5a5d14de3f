"""``ovms serve``: the command, the starter models, and what is told while the server starts."""
