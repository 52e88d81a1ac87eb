"""The pictures of the documentation are of the page as it is."""

from __future__ import annotations

import pytest

from tests.browser.pictures import BADGE, COMPANY, ENTER, FLEET, IMAGES, REPORT, badges, made_from, source


@pytest.mark.parametrize("name", [FLEET, COMPANY, ENTER, REPORT])
def test_a_picture_is_of_the_page_as_it_is(name: str) -> None:
    assert made_from(IMAGES / name) == source(), "make pictures, and look at them"


def test_the_badges_are_those_that_are_drawn() -> None:
    assert (IMAGES / BADGE).read_text() == badges()


def test_the_first_picture_of_the_readme_is_the_page() -> None:
    readme = (IMAGES.parents[1] / "README.md").read_text()
    assert readme.partition("](docs/images/")[2].startswith(FLEET)
