"""Property tests here are not timed: the first example pays for imports and compiled patterns."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=60)
settings.load_profile("unit")
