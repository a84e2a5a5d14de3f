"""The Responses API: its endpoints, what they answer, and the store of what they answered. Server side only."""
