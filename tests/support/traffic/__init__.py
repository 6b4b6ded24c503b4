# SPDX-License-Identifier: Apache-2.0
"""Traffic for tests and samples: real protocols from a seed, the same bytes each time.  Standard library only."""

from . import capture, directory, flows, prng, tcp, voice, web, windows, wire  # noqa: F401
from .flows import flow_for  # noqa: F401
from .wire import MS, SECOND, US, Wire  # noqa: F401
