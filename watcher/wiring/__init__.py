"""Build the parts of the daemon from the settings; some commands build a single part."""
