"""Named volumes: directories that outlive containers."""
