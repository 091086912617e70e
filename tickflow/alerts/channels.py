"""Channels: receivers of messages, reached through apprise. Addresses contain secrets, and are shown without them."""

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import apprise
from PIL import Image, ImageDraw

from tickflow import figures
from tickflow.errors import SettingError

_SIZE_PX = (480, 200)
_MARGIN_PX = 12


class Channel:
    """One address; `name` identifies it across restarts without showing its secrets."""

    def __init__(self, url: str) -> None:
        made = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if made is None:
            scheme = url.partition("://")[0][:20]
            expected = "addresses as apprise knows them, such as json://host/path or mailto://user:password@host"
            raise SettingError("ALERT_URLS", f"{scheme}://**********", expected)
        self._sender = apprise.Apprise()
        self._sender.add(made)
        self.shown = made.url(privacy=True).partition("?")[0]
        self.name = hashlib.sha256(url.encode()).hexdigest()[:12]

    def send(self, title: str, body: str, picture: bytes | None = None) -> bool:
        """Send one message; return whether the receiver accepted it. Never raises."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as quiet:
            logger = logging.getLogger("apprise")
            before = logger.level
            logger.setLevel(logging.CRITICAL)  # apprise logs addresses; the caller logs failures
            quiet.callback(logger.setLevel, before)
            attached = None
            if picture is not None:
                place = Path(folder) / "chart.png"
                place.write_bytes(picture)
                attached = str(place)
            try:
                return bool(self._sender.notify(title=title, body=body, attach=attached))
            except Exception:  # if an apprise plugin fails, the message counts as not sent
                logging.getLogger("tickflow.alerts").debug("a message was not sent", exc_info=True)
                return False


def channels_of(urls: str) -> list[Channel]:
    """The channels of a setting: addresses separated by blanks or line breaks. Raises `SettingError`."""
    return [Channel(url) for url in dict.fromkeys(urls.split())]


def chart(prices: Sequence[float], price: float) -> bytes:
    """A small line chart of the prices as PNG, with a ring around the last point that has the alert's price."""
    import io

    image = Image.new("RGB", _SIZE_PX, "white")
    draw = ImageDraw.Draw(image)
    low, high = min(*prices, price), max(*prices, price)
    width, height = (side - 2 * _MARGIN_PX for side in _SIZE_PX)

    def place(at: int, value: float) -> tuple[float, float]:
        across = _MARGIN_PX + width * at / max(1, len(prices) - 1)
        return across, _MARGIN_PX + height * (1 - (value - low) / ((high - low) or 1))

    points = [place(at, value) for at, value in enumerate(prices)]
    draw.line(points, fill="#1f5fbf", width=2)
    x, y = place(max(range(len(prices)), key=lambda at: (-abs(prices[at] - price), at)), price)
    draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline="#c0392b", width=2)
    draw.text((_MARGIN_PX, 0), figures.price(high), fill="#555555")
    draw.text((_MARGIN_PX, _SIZE_PX[1] - _MARGIN_PX), figures.price(low), fill="#555555")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
