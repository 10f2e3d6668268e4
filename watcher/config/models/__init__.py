"""Settings of the configuration file, as typed models."""
