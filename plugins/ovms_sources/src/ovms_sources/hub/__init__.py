"""The Hugging Face Hub as a source: what to fetch of a repository, fetching it, and converting it."""
