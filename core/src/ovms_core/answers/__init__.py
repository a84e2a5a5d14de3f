"""What answers are made of: the texts in events, JSON, and the frames of streams."""
