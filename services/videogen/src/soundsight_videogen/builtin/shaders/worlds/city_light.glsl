// Light in the city's air, its sky and its lamps.

float lights_on() { return 0.12 + 0.88 * smoothstep(0.0, 0.5, night + 0.25 * cloud); }

float neon_level() { return lights_on() * (0.62 + 0.4 * energy + 0.22 * beat); }

// Light in the air: the glow over the street's far end, and what the sky gives.
vec3 haze(vec3 ray) {
    float low = exp(-4.0 * (sqrt(square(ray.y) + 0.006) - 0.06));
    vec3 sky = mix(zenith_colour, mix(fog_colour, horizon_colour, 0.5), low);
    vec3 glow = mix(accent_a, accent_b, 0.5 + 0.5 * sin(2.6 * ray.x + 6.0 * place.w));
    float ahead = ray.z > 0.0 ? exp(-6.0 * dot(ray.xy, ray.xy)) : 0.0;
    float level = (0.35 + 0.65 * night) * lights_on() * (0.8 + 0.35 * energy);
    sky += level * (glow * 0.05 * low + accent_a * 0.2 * ahead);
    float sun = max(dot(ray, sun_direction), 0.0);
    sky += sun_colour * (1.0 - night) * (0.25 * pow(sun, 9.0) + 0.5 * pow(sun, 90.0));
    return sky;
}

vec3 sky_light(vec3 ray) {
    vec3 light = haze(ray);
    vec2 p = ray.xz / (abs(ray.y) + 0.18);
    float veil = fbm(p * vec2(1.1, 1.6) + vec2(0.012 * time, 11.0 * place.x), 3);
    float cover = smoothstep(0.75 - 0.5 * cloud, 1.0 - 0.35 * cloud, veil + 0.18);
    vec3 lit = mix(zenith_colour, horizon_colour, 0.35) * 1.25
        + night * lights_on() * 0.035 * mix(accent_a, accent_b, veil);
    light = mix(light, lit, 0.75 * cover * smoothstep(0.0, 0.25, ray.y));
#ifdef WITH_STARS
    light += light_colour * stars(ray) * night * (1.0 - cover) * 0.9;
#endif
    float disc = dot(ray, sun_direction);
    float moon = smoothstep(0.99925, 0.9995, disc) * night + smoothstep(0.9996, 0.9998, disc)
        * (1.0 - night) * 3.0;
    light += mix(light_colour, sun_colour, 0.5) * moon * (1.0 - 0.9 * cover) * (1.0 - storm);
    return light;
}

// Fog lies low: from a roof one sees farther than in the street.
float fog_share(float t) {
    float thick = (0.0042 + 0.017 * fog * fog) / lens_clearing()
        / (1.0 + 0.02 * max(camera_position.y - 10.0, 0.0));
    return 1.0 - exp(-t * thick);
}

// Pools of lamp light on the ground or on fronts near it.
float lamp_pools(vec3 p) {
    float z = (fract(p.z / LAMP_SPACING) - 0.5) * LAMP_SPACING;
    float x = abs(p.x) - LAMP_X;
    float d = x * x + z * z + square(LAMP_HEIGHT - p.y) * 0.5;
    return lights_on() * 26.0 / square(d + 9.0);
}

vec3 lamp_colour() { return mix(vec3(1.0, 0.62, 0.3), light_colour, 0.45); }

// Colour of the shops of a lot at the avenue.
vec3 shop_colour(vec2 lot) { return accent(hash21(place_cell(lot) * 1.7 + 3.0)); }
