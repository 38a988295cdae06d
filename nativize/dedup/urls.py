"""One form for addresses that lead to the same page."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

TRACKING = re.compile(
    r"utm_\w+|gclid|fbclid|yclid|msclkid|igshid|mc_[ce]id|_ga|ref_src", re.IGNORECASE
)
PORTS = {"http": 80, "https": 443}


def canonical(url: str) -> str:
    """The address without what does not tell pages apart; empty where there is none.

    Scheme, ``www.``, default port, fragment, last slash, tracking parameters and the order of
    parameters do not; case of path and query does.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return url.strip()
    if not host:
        return url.strip()
    place = host.removeprefix("www.")
    if port and port != PORTS.get(parts.scheme):
        place = f"{place}:{port}"
    query = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not TRACKING.fullmatch(name)
    )
    return f"{place}{parts.path.rstrip('/')}" + (f"?{urlencode(query)}" if query else "")
