"""How long trainings take: pure statistics over past runs."""
