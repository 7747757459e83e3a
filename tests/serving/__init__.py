"""The servers under the application, driven over real sockets with a toy application in place of the registry."""
