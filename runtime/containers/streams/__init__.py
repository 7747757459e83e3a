"""What goes in and out of a container while it runs: attached clients, further processes, logs."""
