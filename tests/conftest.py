"""Settings of hypothesis for every test: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("handshake", deadline=None)
settings.load_profile("handshake")
