"""Names made from content: equal keys mean equal questions, so a stored answer may be given."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


class ContentAddresser:
    """Builds keys of the form ``<domain>:<64 hex digits>`` from everything an answer depends on.

    Every part is framed by its type and length and hashed after the domain, so that no two
    lists of parts run together into one key; mappings are hashed as canonical JSON.
    """

    def key(self, domain: str, *parts: bytes | str | Mapping[str, Any]) -> str:
        """Return the SHA-256 key of ``parts``, in order, within ``domain``."""
        digest = hashlib.sha256()
        for kind, data in [(b"d", domain.encode()), *map(self._encoded, parts)]:
            digest.update(kind + len(data).to_bytes(8, "big"))
            digest.update(data)
        return f"{domain}:{digest.hexdigest()}"

    def validate_key(self, key: str, domain: str, *parts: bytes | str | Mapping[str, Any]) -> bool:
        """Say whether ``key`` is the key of exactly these parts."""
        return key == self.key(domain, *parts)

    @staticmethod
    def _encoded(part: bytes | str | Mapping[str, Any]) -> tuple[bytes, bytes]:
        if isinstance(part, bytes):
            return b"b", part
        if isinstance(part, str):
            return b"s", part.encode()
        text = json.dumps(part, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return b"j", text.encode()
