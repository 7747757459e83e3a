"""What the project is handed over as: a wheel, a container image, a systemd unit, and the documents beside them."""
