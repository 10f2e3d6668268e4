"""Polling stage: ask AiTEMS, decide, and record."""
