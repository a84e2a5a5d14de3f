"""What is refused at registration, or warned of: answers of hooks, functions, endpoints, events and tasks."""
