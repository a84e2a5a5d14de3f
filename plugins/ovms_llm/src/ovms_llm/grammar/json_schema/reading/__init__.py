"""What a schema says: one document, whatever draft it was written for, and the facts about each place in it."""
