"""The pipeline: stages that poll, route, deliver and maintain, and exchange rows through the store."""
