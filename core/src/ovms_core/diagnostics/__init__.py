"""What is told of a failure, and of whom: fields, places in an author's code, plugins at work."""
