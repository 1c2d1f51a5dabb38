"""The examples in the docstrings of the statistics are executed, and each public function of the array level has references."""

import doctest
import importlib
import inspect

import pytest

MODULES = ("accuracy", "alarms", "backtest", "clusters", "emerging", "hotspots", "inference", "knox", "moran", "rates", "scan")


def _public(module):
    return [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    ]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_give_what_they_say(name):
    module = importlib.import_module(f"cloudmap.analytics.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_tell_what_they_raise(name):
    for function in _public(importlib.import_module(f"cloudmap.analytics.{name}")):
        assert "Raises\n" in (inspect.getdoc(function) or "") or function.__name__ == "farrington_bounds", function.__name__
