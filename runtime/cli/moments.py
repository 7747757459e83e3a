"""--since and --until as Docker reads them: RFC 3339, its shorter forms in the local zone, seconds, or how long ago.

Source: moby api/types/time/timestamp.go.
"""

import time
from datetime import datetime

from runtime.cli.creation.values import span


def moment(text: str) -> str:
    """Seconds since 1970, with a fraction where one is given; "" for "". What cannot be read is passed on as it is."""
    if not text:
        return ""
    if text.replace(".", "", 1).isdigit():
        return text
    try:
        return f"{time.time() - span(text) / 1e9:.9f}"
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text  # the daemon says what is wrong with it
    whole = found if found.tzinfo else found.astimezone()
    return f"{whole.timestamp():.9f}"
