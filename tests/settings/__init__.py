"""The settings, and that their documentation is whole."""
