"""``ovms chat``: the command, a conversation, and what a terminal shows of it."""
