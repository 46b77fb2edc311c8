"""What holds for all tests: none depends on how fast the machine is, and CI sees the same examples at every run."""

import os

from hypothesis import HealthCheck, settings

CHOSEN_ANEW = "TRAINLINT_EXAMPLES" in os.environ

settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not CHOSEN_ANEW
)
settings.load_profile("steady")
