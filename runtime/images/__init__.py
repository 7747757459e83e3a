"""Images on this machine: names, content by digest, unpacked layers, and their ways in and out."""
