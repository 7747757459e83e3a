"""Work that no request waits for: schedules and sweeps."""
