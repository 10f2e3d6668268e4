"""Commands that need no AiTEMS."""
