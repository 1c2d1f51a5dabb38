"""The reference values are what peers and enumeration give, apart from the code under test."""

from tests.published import reference


def test_files_equal_peers_and_enumeration(capsys):
    reference.check()
    assert capsys.readouterr().out.count(":") == 5
