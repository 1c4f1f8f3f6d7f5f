// The sky over the sea: by day that of `sky.glsl`, at night a low moon, the last light along the
// horizon in one of the palette's accents, a bank of cloud with lit edges, a band of stars.

float sun_bearing;       // the sun's or the moon's
vec3 glow;               // light along the horizon at night
vec3 afterglow;          // and over it
vec3 moonlight;          // what the moon lights up

const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);

// Angle of a direction around the vertical, 0 straight ahead.
float bearing(vec3 ray) { return atan(ray.x, ray.z); }

float rise_of(vec3 ray) { return ray.y / max(length(ray.xz), 1e-3); }

void describe_sky() {
    sun_bearing = bearing(sun_direction);
    vec3 hue = accent(fract(place.w * 5.0));
    glow = hue * ((0.105 + 0.05 * cloud * (1.0 - fog)) / (dot(hue, LUMA) + 0.03)) * (1.0 - 0.6 * storm);
    vec3 other = accent(fract(place.w * 5.0 + 0.45));
    afterglow = other * (0.1 / (dot(other, LUMA) + 0.04)) * (1.0 - 0.7 * storm);
    moonlight = mix(light_colour, hue / (dot(hue, LUMA) + 0.1), 0.22) * (1.0 - 0.9 * storm);
}

vec3 sea_sky(vec3 ray) {
#ifdef WITH_SUN
    return clear_sky(ray);
#else
    float up = max(ray.y, 0.0);
    float toward = max(dot(ray, sun_direction), 0.0);
    float near = square(square(toward)), nearer = square(square(near));
    float nearest = square(square(nearer));
    float low = exp(-8.0 * up);
    vec3 light = mix(zenith_colour * (0.85 - 0.5 * fog), middle_colour, 0.8 * low * low);
    light += glow * low * (0.1 + low * (0.24 + 0.3 * near + 0.8 * nearer * nearer * low * low));
    light += afterglow * exp(-3.0 * up) * (0.12 + 0.3 * near) * (1.0 - 0.5 * fog);
    // The air around the moon shines, the more there is in it.
    light += moonlight * (0.02 * nearer + 0.05 * fog * nearest + 0.1 * nearest
        + 0.22 * square(square(nearest))) * (1.0 + 0.08 * beat);
    return light;
#endif
}

vec3 sea_fog(vec3 ray) { return sea_sky(normalize(vec3(ray.x, 0.012, ray.z))); }

// The moon, low and large.
vec3 moon_disc(vec3 ray) {
    float away = length(ray - sun_direction) / mix(0.036, 0.026, place.z), w = pixel_angle / 0.03;
    float seas = 1.0 - 0.45 * smoothstep(0.45, 0.65,
        value_noise((ray.xy - sun_direction.xy) * 75.0 + 7.0));
    return moonlight * smoothstep(1.0 + w, 1.0 - w, away) * seas * (1.0 - 0.35 * fog);
}

// No bank is higher than this slope.
const float HIGHEST_BANK = 0.3;

// A bank of cloud that stands on the horizon, its edge lit from behind: light, and cover in w.
vec4 cloud_bank(vec3 ray, vec3 sky) {
    float b = bearing(ray), rise = rise_of(ray);
    float tall = (0.04 + 0.13 * fract(place.w * 11.0 + place.x * 3.0)) * (1.0 - 0.55 * fog)
        * (0.6 + 0.6 * cloud);
    float towers = value_noise(vec2(3.4 * b + 20.0 * place.y + 0.012 * time, 4.0));
    vec2 q = vec2(9.0 * b, 13.0 * rise) + vec2(0.02 * time + 31.0 * place.x, -0.012 * time);
    float billow = fbm(q, 3) + 0.03;
    float depth = tall * (0.15 + 1.5 * square(towers)) + 0.13 * (billow - 0.5) - rise;
    float beyond = fbm(q + vec2(0.35 * clamp(4.0 * (sun_bearing - b), -1.0, 1.0), 0.45), 2);
    float toward = max(dot(ray, sun_direction), 0.0);
    float near = square(square(square(toward)));
    float lit = saturate(0.25 + 3.0 * (billow - 0.13 - beyond));
    float edge = exp(-38.0 * max(depth, 0.0));
#ifdef WITH_SUN
    vec3 dark = mix(zenith_colour, middle_colour, 0.6) * (0.75 - 0.3 * storm);
    vec3 bright = mix(horizon_colour, middle_colour, 0.3) * 0.9 + sun_colour * (0.12 + 0.3 * near);
    vec3 light = mix(dark, bright, lit * (0.55 + 0.45 * edge))
        + sun_colour * (0.5 * edge * square(edge) * near);
    float foot = 0.75 * exp(-16.0 * max(rise, 0.0));
#else
    vec3 light = mix(zenith_colour, shadow_colour * 0.04, 0.5) + glow * (0.05 + 0.24 * lit * near)
        + moonlight * near * (0.05 * lit + edge * (0.1 + 0.5 * square(near)));
    float foot = 0.55 * exp(-30.0 * max(rise, 0.0));
#endif
    // It stands behind the air of the horizon.
    return vec4(mix(light, sky, foot + (0.8 - foot) * fog * 0.6),
        smoothstep(0.0, 0.018, depth) * 0.93);
}

#ifdef WITH_STARS
// Stars, denser in a pale band across the sky.
vec3 starlight(vec3 ray) {
    vec3 pole = normalize(vec3(place.y > 0.5 ? 0.8 : -0.8, 0.5, -0.2 - 0.4 * place.z));
    float across = dot(ray, pole);
    float band = exp(-square(across / 0.17));
    vec2 q = vec2(dot(ray, normalize(cross(pole, vec3(0.0, 1.0, 0.0)))) * 9.0, across * 13.0);
    float mottled = value_noise(q + 11.0 * place.z);
    vec3 star = mix(light_colour, vec3(0.8, 0.9, 1.0), 0.4);
    return star * stars(ray) * (0.8 + 1.6 * band) * (1.0 - 0.8 * fog)
        + mix(glow, moonlight * 0.2, 0.4) * band * (0.12 + 0.6 * square(mottled)) * (1.0 - 0.8 * fog)
            * smoothstep(0.05, 0.3, ray.y);
}
#endif

// Where a storm at night lets the moon through: a bright band low under the clouds.
vec3 storm_break(vec3 ray) {
    float aside = bearing(ray) - sun_bearing;
    float band = exp(-square((max(ray.y, 0.0) - 0.035) / 0.06)) + 0.35 * exp(-5.0 * ray.y);
    float torn = 0.55 + 0.9 * value_noise(vec2(7.0 * aside + 0.03 * time, 5.0 + 14.0 * ray.y));
    return (light_colour * 0.16 + horizon_colour) * night * storm * band * torn
        * (0.25 + 0.75 * exp(-square(aside / 0.55)));
}
