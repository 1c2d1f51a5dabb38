"""Look at files never seen before and write a city file for them, every guess with its evidence.

What cannot be decided is written as a comment that says why, never as a setting.
"""

from cloudmap.propose.city import propose_city

__all__ = ["propose_city"]
