"""The phrases of messages, and their English."""
