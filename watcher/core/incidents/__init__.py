"""Incidents: periods in which AiTEMS or the store cannot be reached."""
