"""Property tests without a deadline: these touch files, and a loaded machine is no failure."""

from hypothesis import settings

settings.register_profile("storage", deadline=None)
settings.load_profile("storage")
