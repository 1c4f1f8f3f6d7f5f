// What open country shares: a light sky of streaked cloud, the Milky Way, a large low sun, air.
// Needs common.glsl and sky.glsl.

// Angle of a direction around the vertical, 0 straight ahead.
float bearing(vec3 ray) { return atan(ray.x, ray.z); }

// How steeply a direction rises.
float rise_of(vec3 ray) { return ray.y / max(length(ray.xz), 1e-3); }

// The air far away in a direction: what the sky is just above the horizon.
vec3 far_air(vec3 ray) { return clear_sky(normalize(vec3(ray.x, 0.012, ray.z))); }

// Sunlight as it falls on land, nearer to the palette's brightest tone than the sun itself.
vec3 sunlight() {
    const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);
    return mix(sun_colour, light_colour * (dot(sun_colour, LUMA) / max(dot(light_colour, LUMA),
        0.05)), 0.5);
}

// Nearly a sine, of turns instead of radians, at a third of its cost.
float wave(float turns) {
    float g = 2.0 * fract(turns) - 1.0;
    float p = 4.0 * g * (abs(g) - 1.0);
    return p * (0.775 + 0.225 * abs(p));
}

// The noise of one line, 0 to 1.
float line_noise(float x) {
    float cell = floor(x), f = x - cell;
    f = f * f * (3.0 - 2.0 * f);
    return mix(hash11(cell), hash11(cell + 1.0), f);
}

float line_fbm(float x, int octaves) {
    float amplitude = 0.5, sum = 0.0;
    for (int i = 0; i < octaves; i++) {
        sum += amplitude * line_noise(x);
        x = 2.03 * x + 17.3;
        amplitude *= 0.5;
    }
    return sum;
}

// The band of the Milky Way: a glow with dark lanes, and how much denser the stars stand in it.
vec2 milky_way(vec3 ray) {
    float tilt = 0.5 + 0.5 * place.y;
    vec3 pole = normalize(vec3(place.z > 0.5 ? tilt : -tilt, 0.42, -0.55));
    float across = dot(ray, pole);
    vec2 q = vec2(dot(ray, normalize(cross(pole, vec3(0.0, 1.0, 0.0)))) * 3.0, across * 6.0);
    float mottled = fbm(q + 11.0 * place.w, 4);
    float band = exp(-square(across / 0.2));
    float lane = smoothstep(0.42, 0.66, fbm(q * vec2(1.6, 1.2) + 4.0, 3))
        * exp(-square((across + 0.03) / 0.09));
    float glow = band * (0.25 + 1.1 * mottled) * (1.0 - 0.75 * lane);
    return vec2(glow * smoothstep(0.0, 0.25, ray.y), band);
}

// Streaks of high cloud, lit from the sun's side: xyz light, w cover. Cheaper than `clouds`.
vec4 streaks(vec3 ray) {
    vec2 p = ray.xz / (ray.y + 0.1);
    vec2 drift = vec2(0.02 * time * (0.4 + wind), 0.006 * time) + 31.0 * place.yz;
    float turn = 2.0 * place.w - 1.0;
    vec2 q = vec2(p.x + turn * p.y, p.y - turn * p.x) * vec2(0.2, 0.52) + drift;
    float body = fbm(q, 4);
    float beyond = fbm(q + normalize(sun_direction.xz + 1e-4) * vec2(0.12, 0.24), 2) + 0.06;
    float edge = mix(0.5, 0.2, cloud);
    float cover = smoothstep(edge, edge + mix(0.4, 0.25, cloud), body);
    float lit = saturate(0.5 + 3.0 * (body - beyond - 0.03));
    float toward = max(dot(ray, sun_direction), 0.0);
    vec3 dark = mix(zenith_colour, middle_colour, 0.45) * (0.7 - 0.3 * storm);
    vec3 bright = mix(middle_colour, horizon_colour, 0.65) * 0.8
        + sunlight() * (0.1 + 0.45 * pow(toward, 4.0)) * mix(vec3(1.0), accent_a, 0.3);
    vec3 light = mix(dark, bright, lit * (1.0 - 0.6 * storm))
        + sunlight() * 0.4 * pow(toward, 12.0) * (1.0 - cover);
    return vec4(light, cover * 0.92 * smoothstep(0.01, 0.13, ray.y));
}

// A sun grown large by the air it stands in, with the moon's seas at night. The sun is paler at
// its foot, where the air is thickest.
vec3 large_sun(vec3 ray, float radius_rad) {
    float away = acos(clamp(dot(ray, sun_direction), -1.0, 1.0)) / radius_rad;
    float w = pixel_angle / radius_rad;
    float disc = smoothstep(1.0 + w, 1.0 - w, away);
    float foot = smoothstep(-0.9, 0.6, (ray.y - sun_direction.y) / radius_rad);
    float seas = 1.0;
    if (night > 0.3 && away < 1.1) {
        vec2 q = (ray.xy - sun_direction.xy) * 2.6 / radius_rad;
        seas = 1.0 - 0.45 * night * smoothstep(0.4, 0.65, value_noise(q + 7.0));
    }
    vec3 light = mix(sunlight() * mix(1.1, 2.6, foot),
        mix(light_colour, vec3(1.0), 0.4) * 1.1 * seas, night);
    float glow = exp(-1.3 * max(away - 1.0, 0.0)) * 0.3 + 0.35 / (1.0 + square(away));
    return light * disc + sunlight() * glow * (0.5 + 0.1 * beat) * (1.0 + 0.6 * night);
}

// Light on a surface that faces `normal`; shade has the palette's dark colour.
vec3 lit_surface(vec3 colour, vec3 normal, float open) {
    float toward = dot(normal, sun_direction);
    float low = 1.0 - saturate(sun_direction.y * 2.0);
    float direct = saturate(toward * (0.72 + 1.4 * low) + 0.02) * open;
    vec3 shade = ambient_colour * (0.14 + 0.24 * normal.y) * (1.0 + 0.7 * cloud * (1.0 - low))
        + mix(accent_b, shadow_colour, 0.5) * 0.07 * (1.0 - 0.5 * night);
    float pulse = 1.0 + 0.06 * beat + 0.05 * onset;
    return colour * (shade + sunlight() * direct * (1.25 + 0.6 * night) * pulse);
}
