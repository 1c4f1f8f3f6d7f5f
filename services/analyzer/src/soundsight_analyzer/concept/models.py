"""How much sound known audio language models hear at a time.

Beyond its limit a model, or the server in front of it, drops sound without a word; so windows are
never longer than what is declared here or in the settings.
"""

from __future__ import annotations

from typing import Final

DEFAULT_WINDOW_S: Final = 30.0

# By a part of the model's name, in lower case; the first that fits counts.
_WINDOWS_S: Final[dict[str, float]] = {
    # Its encoder is Whisper's: what is longer is cut to 30 s.
    "qwen2-audio": 30.0,
    # 4 to 5 minutes by its makers' word.
    "qwen2.5-omni": 240.0,
    # It hears more, but servers with earlier releases of its processor cut at 30 s.
    "qwen3-omni": 30.0,
}


def window_limit_s(model: str, setting_s: float) -> float:
    """Seconds of sound that may be sent at a time: the setting, or what is known of the model."""
    if setting_s:
        return setting_s
    name = model.lower()
    return next((limit for part, limit in _WINDOWS_S.items() if part in name), DEFAULT_WINDOW_S)
