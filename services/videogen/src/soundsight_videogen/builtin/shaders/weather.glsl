// Rain and snow in front of everything, and clouds and stars behind it.

// Share of this pixel covered by rain streaks. The streaks hang in the world's directions, so they
// stay put when the camera turns; they fall with the world's clock.
float rain_streaks(vec3 ray) {
    float level = length(ray.xz);
    float azimuth = atan(ray.x, ray.z), rise = ray.y / max(level, 0.2);
    float sum = 0.0;
    for (int i = 0; i < 3; i++) {
        float layer = float(i);
        float columns = 34.0 + 30.0 * layer;
        vec2 p = vec2((azimuth + rise * 0.16 * wind) * columns, rise * (2.2 + 1.1 * layer));
        float column = floor(p.x);
        float pace = hash11(column + 61.0 * layer);
        p.y += time * (5.0 + 2.5 * pace) + pace * 37.0;
        float drop = hash21(vec2(column + 17.0 * layer, floor(p.y)));
        float width = max(0.05, 0.7 * pixel_angle * columns);
        float across = fract(p.x) - (0.3 + 0.4 * drop);
        float along = fract(p.y);
        float shape = saturate(1.0 - abs(across) / width) * (0.05 / width)
            * smoothstep(0.0, 0.12, along) * smoothstep(0.62, 0.3, along);
        sum += shape * step(1.0 - 0.42 * rain, drop) * (1.0 - 0.2 * layer);
    }
    return sum * smoothstep(0.97, 0.8, abs(ray.y));
}

// Share of this pixel covered by snowflakes.
float snow_flakes(vec3 ray) {
    float azimuth = atan(ray.x, ray.z), rise = ray.y / max(length(ray.xz), 0.2);
    float sum = 0.0;
    for (int i = 0; i < 3; i++) {
        float layer = float(i);
        float cells = 9.0 + 11.0 * layer;
        vec2 p = vec2(azimuth, rise) * cells;
        p.y += time * (1.15 - 0.12 * layer);
        p.x += time * 0.5 * wind + 0.25 * sin(time * 0.8 + p.y * 0.9 + 2.0 * layer);
        vec2 cell = floor(p);
        vec4 chance = hash24(cell + 31.0 * layer);
        vec2 d = fract(p) - (0.25 + 0.5 * chance.xy);
        float radius = 0.03 + 0.045 * chance.z;
        float soft = max(radius * (1.3 - 0.25 * layer), 0.8 * pixel_angle * cells);
        float flake = smoothstep(radius + soft, radius - soft * 0.4, length(d));
        sum += flake * step(1.0 - 0.7 * snow, chance.w) * (0.55 + 0.1 * layer);
    }
    return sum * smoothstep(0.97, 0.8, abs(ray.y));
}

// Stars on the upper half of the sky; they do not twinkle in silence.
float stars(vec3 ray) {
    vec2 p = vec2(atan(ray.x, ray.z), asin(clamp(ray.y, -1.0, 1.0))) * 60.0;
    p.x *= max(cos(p.y / 60.0), 0.2);
    vec2 cell = floor(p);
    vec4 chance = hash24(cell + 5.0);
    vec2 d = fract(p) - (0.2 + 0.6 * chance.xy);
    float size = max(0.02 + 0.02 * chance.z, 0.6 * pixel_angle * 60.0);
    float shine = 1.6 * pow(chance.w, 16.0) * (0.75 + 0.25 * sin(time * 2.0 + chance.z * 40.0));
    return shine * smoothstep(size, 0.0, length(d)) * smoothstep(0.02, 0.3, ray.y);
}
