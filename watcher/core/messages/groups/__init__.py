"""Messages about several events."""
