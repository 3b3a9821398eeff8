"""A page in a browser with all that it asked for and complained of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(event.violatedDirective));
"""


@dataclass(frozen=True)
class Watched:
    """A page that was opened."""

    page: Any  # of playwright
    requests: list[str] = field(default_factory=list)  # addresses that it asked for
    complaints: list[str] = field(default_factory=list)  # messages in its console, and errors

    def of(self, expression: str, *arguments: Any) -> Any:
        """What an expression of JavaScript comes to in the page."""
        return self.page.evaluate(expression, *arguments)

    def open_everything(self) -> None:
        """Open all that is folded away, but for overlays."""
        self.of("() => document.querySelectorAll('details').forEach(one => { one.open = true })")

    def close_everything(self) -> None:
        """Fold it away again."""
        self.of("() => document.querySelectorAll('details').forEach(one => { one.open = false })")

    def visible(self, selector: str) -> list[str]:
        """The ids of those elements that take a place on the page."""
        return list(
            self.of(
                "selector => [...document.querySelectorAll(selector)]"
                ".filter(one => one.checkVisibility() && one.getBoundingClientRect().height > 0).map(one => one.id)",
                selector,
            )
        )


def watched(page: Any, address: str) -> Watched:
    """Open an address in a page.

    Args:
        page: of playwright.
        address: what it opens.

    Returns:
        The page, loaded.
    """
    found = Watched(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.add_init_script(VIOLATIONS)
    page.goto(address, timeout=120_000)
    return found
