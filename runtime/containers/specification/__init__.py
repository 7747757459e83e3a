"""From what a client asks for to what the OCI runtime is told: settings checked, users found, rights decided."""
