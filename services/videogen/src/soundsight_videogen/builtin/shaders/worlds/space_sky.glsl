// What lies behind everything in space: stars, the band of a galaxy, gas, the star, a comet.

// A flat map of the sky without a seam (stereographic): straight ahead is at its middle.
vec2 sky_map(vec3 ray) { return ray.xy / max(1.0 + ray.z, 0.2); }

// Points of light in a grid; at high energy they stretch away from where the journey goes.
float star_layer(vec2 p, float cells, float rare, float seed) {
    vec2 q = p * cells;
    vec2 cell = floor(q);
    vec4 chance = hash24(cell + seed);
    vec2 d = fract(q) - (0.3 + 0.4 * chance.xy);
    vec2 outward = p * inversesqrt(dot(p, p) + 1e-4);
    float along = dot(d, outward), across = dot(d, vec2(-outward.y, outward.x));
    // The map's scale: half of one plus the square of the distance from its middle.
    float pixel = pixel_angle * 0.5 * (1.0 + dot(p, p)) * cells;
    float size = max(0.028, 0.75 * pixel);
    float streak = 1.0 + 3.0 * smoothstep(0.7, 1.0, energy) * (0.3 + motion);
    float shape = exp(-(square(along / streak) + square(across)) / (size * size));
    float glint = 1.0 + 1.6 * onset * step(0.6, chance.z);
    float twinkle = 0.75 + 0.25 * sin(time * (1.0 + 2.0 * chance.z) + chance.y * 40.0);
    float shine = pow(chance.w, rare) * square(0.028 / size);
    return shape * shine * glint * twinkle * smoothstep(0.5, 0.3, max(abs(d.x), abs(d.y)));
}

// Gas, dust and the galaxy's band: light added in xyz, and in w what share of the stars is seen.
vec4 gas(vec2 p) {
    vec2 home = 20.0 * place.zw + 7.0 * place.x;
    vec2 passing = vec2(camera_position.x, camera_position.y) * 0.004;
    float zoom = 1.0 - 0.0012 * camera_position.z;
    vec2 q = p * zoom * mix(1.5, 2.3, place.z) + home + passing + 0.006 * time * vec2(1.0, 0.4);
    float swell = 0.25 * heave;
    vec2 fold = vec2(grains(q, 3), grains(q + vec2(5.2, 1.3) - 0.012 * time, 3)) - 0.45;
    float body = grains(q + (2.1 + swell) * fold + 3.1, 5);
    // Filaments: the ridges of a second, nearer sheet, which passes faster.
    vec2 nearer = q * 1.9 + 2.0 * passing + 2.6 * fold;
    float ridge = 1.0 - abs(2.1 * grains(nearer, 5) - 1.0);
    float filament = ridge * ridge * ridge;
    filament *= filament;

    vec2 star = sky_map(star_direction);
    float away = length(p - star);
    float near_star = exp(-2.6 * away);
    float cloud_share = is_nebula + (1.0 - is_nebula) * (0.27 + 0.2 * fog);
    float thick = smoothstep(0.3 - 0.08 * fog, 0.7, body + 0.16 * fold.x);
    thick *= 0.25 + 0.75 * thick * (0.55 + 0.6 * ridge);
    // Young stars burn holes into the gas around them.
    float hole = mix(1.0, smoothstep(0.02, 0.3, away + 0.3 * fold.y), is_nebula);
    vec3 cool = mix(accent_b, accent_c, smoothstep(-0.12, 0.16, fold.x));
    vec3 hue = mix(cool, accent_a, smoothstep(-0.05, 0.2, fold.y + 0.25 * near_star));
    vec3 light = hue * thick * hole * (0.1 + 0.48 * near_star + 0.14 * body);
    light += mix(hue, light_colour, 0.45) * filament * (0.25 + thick) * (0.08 + 0.45 * near_star);
    light *= cloud_share * (0.85 + 0.35 * heave + 0.2 * energy);

    // Pillars of dust stand before it, their edges lit from the star's side.
    float dust = smoothstep(0.46, 0.66, 0.62 * ridge * (1.0 - thick) + 0.55 * body
        - 0.5 * p.y * is_nebula - 0.12 + 0.12 * fog) * hole;
    float edge = dust * (1.0 - dust) * 4.0;
    light = mix(light, light * 0.22 + shadow_colour * 0.12, 0.85 * dust * cloud_share);
    light += mix(accent_a, light_colour, 0.4) * edge * is_nebula * (0.03 + 0.22 * near_star);

    // The galaxy leans across the sky.
    float tilt = mix(-0.9, 0.9, place.w);
    vec2 along = vec2(cos(tilt), sin(tilt));
    vec2 g = vec2(dot(p, along), dot(p, vec2(-along.y, along.x)) - 0.24 + 0.3 * place.y);
    float width = 0.1 + 0.09 * exp(-9.0 * g.x * g.x);
    float band = exp(-square((g.y + 0.1 * fold.y) / width));
    float lane = smoothstep(0.1, 0.0, abs(g.y + 0.16 * fold.x + 0.02) - 0.05 * ridge) * 0.75;
    float core = exp(-14.0 * g.x * g.x - 60.0 * g.y * g.y);
    vec3 milk = mix(accent_b, light_colour, 0.35 + 0.5 * core);
    // Over the plain the sky is wide and dark: there it always does.
    float leaning = max(has_galaxy * (1.0 - is_nebula), is_plain);
    light += leaning * milk
        * (band * (0.04 + 0.2 * body) * (1.0 - lane * band) + 0.16 * core * (1.0 - 0.6 * lane));
    float floor_glow = 0.012 + 0.018 * body;
    light += mix(shadow_colour * 2.0, accent_b, 0.3) * floor_glow;
    return vec4(light, 1.0 - 0.8 * dust * cloud_share + leaning * 0.7 * band);
}

// The star: a disc that boils, its corona and a fine cross of light. `seen` is 1 where nothing
// stands before it.
vec3 star_glow(vec3 ray, float seen) {
    vec3 d = ray - star_direction;
    float r = length(d);
    vec3 across = normalize(cross(vec3(0.0, 1.0, 0.0), star_direction));
    vec2 e = vec2(dot(d, across), d.y);
    vec2 around = e / max(r, 1e-4);
    float size = mix(0.016, 0.032, is_nebula * (1.0 - 0.4 * place.z) + 0.3 * storm)
        * (1.0 + 0.05 * heave);
    float x = r / size;
    float disc = smoothstep(1.0 + pixel_angle / size, 1.0 - pixel_angle / size, x);
    float rays = 0.45 + 0.35 * grain(around * 2.6 + vec2(0.1 * time, 5.0))
        + 0.5 * grain(around * 11.0 - vec2(0.17 * time, 0.0));
    float stirred = 1.0 + 0.5 * storm + 0.25 * beat;
    float corona = exp(-1.15 * max(x - 1.0, 0.0) / (0.5 + rays * stirred));
    // A shell of fire that the young star threw off, swelling with the bass.
    float shell = 3.6 + 0.9 * heave + 0.5 * rays;
    float ring = exp(-square((x - shell) / 0.5)) * (0.3 + 0.7 * rays) * is_nebula * has_eye;
    float haze = 0.026 / (r * r * 12.0 + 0.05) * (0.8 + 0.2 * energy + 0.4 * fog);
    float cross_light = exp(-abs(e.y) * 150.0 - abs(e.x) * 7.0);
    vec3 light = star_light * (disc * 3.2 + corona * 0.75 + cross_light * 0.28) * seen;
    light += mix(accent_a, star_light, 0.4) * (ring * 0.34 * seen + haze * (0.35 + 0.65 * seen));
    return light;
}

// A comet crosses slowly, its tail away from the star; it sheds sparks when the music does.
vec3 comet(vec2 p) {
    float way = fract(0.006 * time + place.y);
    vec2 head = vec2(mix(-0.75, 0.75, way) * (place.z > 0.5 ? 1.0 : -1.0),
        0.24 + 0.1 * place.z - 0.25 * way + 0.06 * is_plain);
    vec2 tail = normalize(head - sky_map(star_direction) + vec2(0.0, 0.12));
    vec2 d = p - head;
    float u = dot(d, tail), v = dot(d, vec2(-tail.y, tail.x));
    float r2 = dot(d, d);
    float width = 0.004 + 0.085 * max(u, 0.0);
    float strands = 0.55 + 0.9 * grain(vec2(v / width * 2.2, 7.0 * u - 1.2 * time));
    float hair = exp(-square(v / width)) * exp(-4.6 * max(u, 0.0)) * smoothstep(-0.006, 0.012, u)
        * strands * (0.5 + 0.2 * energy);
    float sparks = step(0.93, hash21(floor(vec2(u * 90.0 - 6.0 * time, v * 90.0))))
        * exp(-square(v / width)) * exp(-9.0 * max(u, 0.0)) * step(0.0, u) * onset;
    vec3 light = mix(accent_b, light_colour, 0.6) * (hair + 0.5 * sparks);
    light += light_colour * (0.00012 / (r2 + 0.00006)) * (0.8 + 0.3 * beat);
    float ends = smoothstep(0.0, 0.08, way) * smoothstep(1.0, 0.92, way);
    return light * ends * has_comet;
}
