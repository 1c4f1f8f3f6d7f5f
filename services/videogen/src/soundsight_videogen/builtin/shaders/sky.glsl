// The sky of worlds in the open: its gradient, sun or moon, and clouds. Needs common.glsl.

vec3 clear_sky(vec3 ray) {
    float up = max(ray.y, 0.0);
    float toward = max(dot(ray, sun_direction), 0.0);
    vec3 light = mix(horizon_colour, middle_colour, smoothstep(0.0, 0.24, up));
    light = mix(light, zenith_colour, smoothstep(0.1, 0.6, up));
    // Around a low sun the air itself glows.
    float low = exp(-7.0 * up);
    light += sun_colour * (0.26 * low * pow(toward, 6.0) + 0.14 * pow(toward, 40.0))
        * mix(1.0, 0.5, night) * (1.0 + 0.08 * beat);
    light += sun_colour * 0.5 * pow(toward, 350.0) * mix(1.0, 0.7, night);
    // In fog the sun stands in a ball of light, and away from it the air is dark.
    float ball = fog * fog * around_light(toward);
    return light * (1.0 - 0.4 * (fog * fog - ball))
        + (sun_colour * 0.35 + light_colour * 0.1 * night) * ball;
}

vec3 sun_disc(vec3 ray) {
    float toward = dot(ray, sun_direction);
    float size = mix(0.00042, 0.00035, night);
    float disc = smoothstep(1.0 - size, 1.0 - size * 0.86, toward);
    // The moon has seas.
    float seas = 1.0 - 0.4 * night
        * smoothstep(0.45, 0.65, value_noise((ray.xy - sun_direction.xy) * 90.0 + 7.0));
    return disc * mix(sun_colour * 4.0, mix(light_colour, vec3(1.0), 0.4) * 1.5, night) * seas;
}

// Clouds on a plane far up, lit from the sun's side: xyz light, w cover.
vec4 clouds(vec3 ray) {
    vec2 p = ray.xz / (ray.y + 0.09);
    vec2 drift = vec2(0.016 * time * (0.4 + wind), 0.008 * time) + 40.0 * place.xy;
    vec2 q = p * vec2(0.34, 0.66) + drift;
    float body = fbm(q, 4) + 0.016;
    vec2 sunward = normalize(sun_direction.xz + 1e-4);
    float beyond = fbm(q + sunward * vec2(0.1, 0.2), 3) + 0.047;
    float edge = mix(0.5, 0.24, cloud);
    float cover = smoothstep(edge, edge + 0.22, body);
    float lit = saturate(0.42 + 3.4 * (body - beyond));
    float toward = max(dot(ray, sun_direction), 0.0);
    vec3 dark = mix(zenith_colour, middle_colour, 0.35) * (0.62 - 0.3 * storm);
    vec3 bright = mix(middle_colour, horizon_colour, 0.65) * 0.75
        + sun_colour * (0.1 + 0.4 * pow(toward, 4.0)) * mix(vec3(1.0), accent_a, 0.3);
    vec3 light = mix(dark, bright, lit * (1.0 - 0.65 * storm));
    // Thin edges let the sun through.
    light += sun_colour * 0.4 * pow(toward, 12.0) * (1.0 - cover);
    float veil = smoothstep(0.48, 0.8, fbm(p * vec2(1.2, 0.3) + 9.0 + 0.4 * drift, 2) + 0.062)
        * (0.15 + 0.25 * cloud) * (1.0 - 0.7 * pow(toward, 30.0));
    light = mix(light, bright, veil * (1.0 - cover));
    cover = max(cover * 0.94, veil);
    return vec4(light, cover * smoothstep(0.015, 0.1, ray.y));
}
