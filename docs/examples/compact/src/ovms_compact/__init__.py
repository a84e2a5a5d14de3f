"""Smaller messages for ovms-core: MessagePack beside JSON, and compressed answers."""
