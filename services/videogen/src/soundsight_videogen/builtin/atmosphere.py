"""Time of day and weather as light: sky colours, sun, fog, rain, wind. Pure."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

from soundsight_videogen.builtin.colour import RGB, Palette, at_luminance, mix, recolour, scale


class TimeOfDay(enum.Enum):
    """When."""

    DAWN = "dawn"
    DAY = "day"
    GOLDEN_HOUR = "golden_hour"
    DUSK = "dusk"
    NIGHT = "night"


class Weather(enum.Enum):
    """What comes down, and what hangs in the air."""

    CLEAR = "clear"
    CLOUDY = "cloudy"
    RAIN = "rain"
    FOG = "fog"
    SNOW = "snow"
    STORM = "storm"


@dataclass(frozen=True, slots=True)
class Atmosphere:
    """The light of a scene. Colours are linear radiance; 1 is about the brightest white shown.

    `sun_direction` points to the sun, or to the moon when `night` is near 1; x is right, y up,
    z forward. Amounts without a unit run from 0 to 1.
    """

    sun_direction: RGB
    sun_colour: RGB
    zenith: RGB
    middle: RGB
    horizon: RGB
    ambient: RGB
    fog_colour: RGB
    night: float
    cloud: float
    fog: float
    rain: float
    snow: float
    wet: float
    wind: float
    storm: float
    exposure: float


@dataclass(frozen=True, slots=True)
class _Sky:
    elevation_deg: float
    sun: RGB
    zenith: RGB
    horizon: RGB
    night: float
    tint: float
    exposure: float


_SKIES = {
    TimeOfDay.DAWN: _Sky(
        5.5, (1.25, 0.66, 0.36), (0.085, 0.125, 0.26), (0.66, 0.37, 0.26), 0.12, 0.5, 1.0
    ),
    TimeOfDay.DAY: _Sky(
        38.0, (1.5, 1.36, 1.12), (0.085, 0.21, 0.5), (0.42, 0.55, 0.68), 0.0, 0.38, 0.86
    ),
    TimeOfDay.GOLDEN_HOUR: _Sky(
        8.5, (1.5, 0.78, 0.32), (0.1, 0.14, 0.3), (0.7, 0.38, 0.16), 0.0, 0.42, 0.9
    ),
    TimeOfDay.DUSK: _Sky(
        2.0, (0.85, 0.3, 0.16), (0.024, 0.032, 0.1), (0.36, 0.15, 0.15), 0.55, 0.55, 1.1
    ),
    TimeOfDay.NIGHT: _Sky(
        19.0, (0.2, 0.24, 0.34), (0.005, 0.008, 0.021), (0.03, 0.035, 0.07), 1.0, 0.6, 1.15
    ),
}


@dataclass(frozen=True, slots=True)
class _Air:
    cloud: float
    fog: float
    rain: float
    snow: float
    wet: float
    wind: float
    storm: float
    sun: float
    # How much of the day's light is lost on its way through: what is thick is also dark, so that
    # lamps, a pale sun and near things stand out from it.
    loss: float


_WEATHERS = {
    Weather.CLEAR: _Air(0.28, 0.16, 0.0, 0.0, 0.0, 0.25, 0.0, 1.0, 0.0),
    Weather.CLOUDY: _Air(0.68, 0.24, 0.0, 0.0, 0.12, 0.4, 0.0, 0.55, 0.0),
    Weather.RAIN: _Air(0.86, 0.36, 0.75, 0.0, 1.0, 0.45, 0.15, 0.2, 0.15),
    Weather.FOG: _Air(0.75, 1.0, 0.0, 0.0, 0.4, 0.12, 0.0, 0.55, 0.52),
    Weather.SNOW: _Air(0.8, 0.45, 0.0, 0.85, 0.15, 0.3, 0.0, 0.3, 0.2),
    Weather.STORM: _Air(1.0, 0.4, 1.0, 0.0, 1.0, 1.0, 1.0, 0.08, 0.0),
}


def atmosphere(
    time_of_day: TimeOfDay,
    weather: Weather,
    palette: Palette,
    *,
    sun_azimuth_rad: float,
    moon_elevation_rad: float | None = None,
) -> Atmosphere:
    """The light of a time of day and a weather, tinted with a palette.

    `sun_azimuth_rad` is the sun's direction seen from above: 0 is straight ahead, positive right.
    `moon_elevation_rad` says how high the moon stands at night, if not as high as it mostly does.
    """
    sky, air = _SKIES[time_of_day], _WEATHERS[weather]
    elevation = math.radians(sky.elevation_deg)
    if moon_elevation_rad is not None and time_of_day is TimeOfDay.NIGHT:
        elevation = moon_elevation_rad
    direction = (
        math.sin(sun_azimuth_rad) * math.cos(elevation),
        math.sin(elevation),
        math.cos(sun_azimuth_rad) * math.cos(elevation),
    )
    # Three different colours of the palette, so that a sky is never of one hue.
    low = palette.accents[0] if sky.night > 0.4 else palette.warmest
    middle_tint = next((c for c in palette.accents if c != low), low)
    zenith = recolour(sky.zenith, mix(palette.shadow, palette.colours[1], 0.6), sky.tint)
    horizon = recolour(sky.horizon, low, sky.tint)
    middle = recolour(mix(sky.zenith, sky.horizon, 0.4), middle_tint, 0.8 * sky.tint)
    sun = recolour(sky.sun, palette.warmest, 0.25)
    clear = Atmosphere(
        sun_direction=direction,
        sun_colour=sun,
        zenith=zenith,
        middle=middle,
        horizon=horizon,
        ambient=mix(zenith, horizon, 0.35),
        fog_colour=mix(horizon, zenith, 0.25),
        night=sky.night,
        cloud=air.cloud,
        fog=air.fog,
        rain=air.rain,
        snow=air.snow,
        # Streets at night shine, as in every film.
        wet=max(air.wet, 0.5 * sky.night) if air.snow == 0.0 else air.wet,
        wind=air.wind,
        storm=air.storm,
        exposure=sky.exposure,
    )
    return _dimmed(_overcast(clear, 1.0 - air.sun), air.loss * (1.0 - sky.night))


def _overcast(clear: Atmosphere, amount: float) -> Atmosphere:
    """Clouds take the sun's light and spread a part of it evenly over the sky."""
    even = mix(clear.zenith, clear.horizon, 0.5)
    lifted = mix(even, at_luminance((1.0, 1.0, 1.0), 0.2 * sum(even)), 0.4)
    dim = scale(lifted, 0.85)
    return replace(
        clear,
        sun_colour=scale(clear.sun_colour, 1.0 - 0.92 * amount),
        zenith=mix(clear.zenith, scale(dim, 0.75), 0.7 * amount),
        middle=mix(clear.middle, dim, 0.6 * amount),
        horizon=mix(clear.horizon, dim, 0.6 * amount),
        ambient=mix(clear.ambient, dim, 0.6 * amount),
        fog_colour=mix(clear.fog_colour, dim, 0.7 * amount),
    )


def _dimmed(light: Atmosphere, loss: float) -> Atmosphere:
    """Thick air keeps light back, most of all what comes from high up; the sun's less than that."""
    return replace(
        light,
        sun_colour=scale(light.sun_colour, 1.0 - 0.25 * loss),
        zenith=scale(light.zenith, 1.0 - loss),
        middle=scale(light.middle, 1.0 - 0.9 * loss),
        horizon=scale(light.horizon, 1.0 - 0.75 * loss),
        ambient=scale(light.ambient, 1.0 - 0.75 * loss),
        fog_colour=scale(light.fog_colour, 1.0 - 0.8 * loss),
    )
