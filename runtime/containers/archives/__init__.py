"""Files of containers: copied in and out, compared with their image, exported, made into images."""
