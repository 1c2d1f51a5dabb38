"""The examples in the docstrings of handling are executed, and its public functions tell what they raise."""

import doctest
import importlib
import inspect

import pytest

EXAMPLES = ("workdays", "opening_hours", "proportions", "dwell")
MODULES = (*EXAMPLES, "case_states", "handling", "indicators", "stays", "funnel", "tiers", "staffing", "campaign", "public_holidays")


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring_examples_give_what_they_say(name):
    module = importlib.import_module(f"cloudmap.analytics.{name}")
    result = doctest.testmod(module, extraglobs={"date": __import__("datetime").date, "np": __import__("numpy")})
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_tell_what_they_raise(name):
    module = importlib.import_module(f"cloudmap.analytics.{name}")
    silent = {"difference", "flag_sums", "instants", "days_of"}  # nothing to raise
    for function_name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not function_name.startswith("_") and function_name not in silent:
            assert "Raises\n" in (inspect.getdoc(function) or ""), function_name
