"""Exercise of chapter 12: a path that leads nowhere costs no more among many rules."""

from __future__ import annotations

from chapter_12.compiled import ACCEPTS, PATH, Node, Routes


def leads_somewhere(routes: Routes, path: str) -> bool:
    """Return whether any rule might have a path, with a slash behind it or without, for whatever method.

    Where this is ``False`` the router need not be asked: the answer is 404.
    """
    return not routes.is_complete or might_lead(routes._root, path.split("/"), 1)


def might_lead(node: Node, parts: list[str], index: int) -> bool:
    """Return whether the rest of a path leads to a rule below a node."""
    if index == len(parts):
        return bool(node.rules) or "" in node.static
    part = parts[index]
    if part in node.static and might_lead(node.static[part], parts, index + 1):
        return True
    for converter, child in node.variable.items():
        if converter is PATH:
            if ACCEPTS[converter]("/".join(parts[index:])):
                return True
        elif ACCEPTS[converter](part) and might_lead(child, parts, index + 1):
            return True
    return False
