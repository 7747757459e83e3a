"""The registry client against registries good and bad."""
