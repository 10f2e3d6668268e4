"""Earlier runs, trainings in progress and retrainings, at each poll."""
