"""Who may do what, asked over HTTP: the matrix, isolation, forged tokens, floods, and what gets into logs."""
