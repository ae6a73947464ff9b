"""What axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: The impacts of faults that keep people from using a page.
GRAVE = ("serious", "critical")


def grave_faults(page: Page) -> list[str]:
    """Return the serious and critical violations on ``page``, a line for each element."""
    # it would copy style sheets into the page to look at them, which the page's policy forbids
    options = {"resultTypes": ["violations"], "preload": False}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {violation['help']}: {node['target']} {node['html'][:200]}"
        for violation in violations
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
