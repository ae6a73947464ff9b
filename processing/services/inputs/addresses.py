"""Which machines we let ourselves be sent to: those on the public internet, and chosen others."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

from processing.exceptions import ProcessingError

#: Returns every address of a host as text; raises OSError or UnicodeError when it has none.
Resolver = Callable[[str, int], list[str]]

#: Where IPv6 addresses of the public internet are; mapped IPv4, NAT64, unique local, link-local
#: and multicast ones are elsewhere (IANA's IPv6 address space).
GLOBAL_UNICAST = IPv6Network("2000::/3")

#: IANA's special-purpose registries for IPv4 and, within ``GLOBAL_UNICAST``, for IPv6. Not
#: ``is_global``, whose answer differs between releases of Python (3.11.7: mapped loopback is).
SPECIAL_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own
        "127.0.0.0/8",  # loopback
        "168.63.129.16",  # Azure's virtual machines to their host
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address
        "3fff::/20",  # documentation
    )
)


class ForbiddenAddress(ProcessingError):
    """The URL leads to a machine or port that we do not let ourselves be sent to."""

    code = "forbidden_address"


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts off the public internet that may be read from, by name or by network.

    A name is trusted whatever it resolves to.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read names (``intranet.example``), addresses and networks (``10.0.0.0/8``).

        Raises ``ValueError`` for what is none of them.
        """
        names, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                if not entry or "/" in entry or ":" in entry:
                    raise
                names.add(_canonical(entry))
        return cls(frozenset(names), tuple(networks))

    def permit(self, host: str, address: str) -> bool:
        """Say whether ``address``, to which ``host`` resolves, may be connected to."""
        if is_public(address) or _canonical(host) in self.names:
            return True
        return any(ip_address(address) in network for network in self.networks)

    def checked(self, host: str, addresses: list[str]) -> list[str]:
        """Return the addresses of ``host``; raise ``ForbiddenAddress`` when one is forbidden."""
        if not all(self.permit(host, address) for address in addresses):
            raise ForbiddenAddress(f"{host} is not on the public internet")
        return addresses


def is_public(address: str) -> bool:
    """Say whether ``address`` is a machine on the public internet; False for one with a zone."""
    ip = ip_address(address)
    if ip.version == 6 and (ip.scope_id is not None or ip not in GLOBAL_UNICAST):
        return False
    return not any(ip in network for network in SPECIAL_NETWORKS)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of ``host``, in the system's order and in one spelling."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _canonical(name: str) -> str:
    return name.rstrip(".").lower()
