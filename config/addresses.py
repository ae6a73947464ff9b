"""From where a request comes, as far as it can be known."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

#: Whoever has one address of IPv6 has all of a network as long as this.
IPV6_NETWORK = 64


def address_of(request: HttpRequest) -> str | None:
    """Return the address of the client; None when the server does not tell.

    ``X-Forwarded-For`` is believed only as far as ``TRUSTED_PROXIES`` proxies of ours have
    appended to it: clients can write whatever they like before that.
    """
    proxies = settings.TRUSTED_PROXIES
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if proxies else []
    seen = [_address(forwarded[-proxies])] if len(forwarded) >= proxies > 0 else []
    return next(filter(None, [*seen, _address(request.META.get("REMOTE_ADDR", ""))]), None)


def neighbourhood_of(request: HttpRequest) -> str:
    """Return what is counted as one client: an address of IPv4, a /64 of IPv6."""
    address = address_of(request)
    if address is None:
        return "unknown"
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Address(int(parsed) >> 128 - IPV6_NETWORK << 128 - IPV6_NETWORK))
    return address


def _address(text: str) -> str | None:
    try:
        parsed = ip_address(text.strip())
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed).partition("%")[0]
