"""The version of cloudmap that computed something, as provenance names it."""

VERSION = "0.1.0"
