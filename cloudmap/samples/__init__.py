"""Sample cities: real Boston, and a schematic Luqiao whose truths are planted and therefore known."""

from cloudmap.samples.writing import SAMPLES, write_sample

__all__ = ["SAMPLES", "write_sample"]
