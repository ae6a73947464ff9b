"""What can be done with what was just made, as links of OpenAPI, which fuzzers follow."""

from __future__ import annotations

import re
from typing import Any

API = "/api/v1/"

#: Where the answer to a request that makes one thing names another.
ALSO_MADE = {"recordings": {"transcripts": "transcript/id"}}

_OF_ONE = re.compile(r"([a-z-]+)/\{(\w+)\}/[^{]*")


def add_links(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Have each answer to a POST that makes something lead to all operations on that."""
    operations = [
        (path.removeprefix(API), operation)
        for path, methods in result["paths"].items()
        for operation in methods.values()
    ]
    for path, operation in operations:
        if not operation["operationId"].endswith("_create"):
            continue
        kind = path.rstrip("/").rpartition("/")[2]
        made = {kind: ""} | ALSO_MADE.get(kind, {})
        links = {
            other["operationId"]: {
                "operationId": other["operationId"],
                "parameters": {found[2]: f"$response.body#/{_name_of(found[2], made[found[1]])}"},
            }
            for address, other in operations
            if (found := _OF_ONE.fullmatch(address)) and found[1] in made
        }
        for status, response in operation["responses"].items():
            if links and status.startswith("2"):
                response["links"] = links
    return result


def _name_of(variable: str, pointer: str) -> str:
    """Return where in the answer the value of a variable of an address is."""
    return pointer or ("slug" if variable == "slug" else "id")
