// What floats in the wood's air: dust by day, fireflies in the dark, falling leaves.

// Soft discs on planes across the way; they drift with the clock and shine with the onsets.
vec3 motes(vec3 origin, vec3 ray, float until) {
    const float APART = 3.1;
    vec3 sum = vec3(0.0);
    float dark = smoothstep(0.3, 0.7, night);
    vec3 fly = mix(vec3(1.0, 0.8, 0.3), accent_a, 0.35);
    float first = floor(origin.z / APART) + 1.0;
    for (int i = 0; i < 3; i++) {
        float row = first + float(i);
        float ahead = row * APART - origin.z;
        float t = ahead / max(ray.z, 0.02);
        vec3 p = bent(origin, ray, t);
        vec2 q = p.xy / vec2(1.5, 1.15) + vec2(0.03 * time, -0.05 * time);
        vec2 cell = floor(q);
        vec4 chance = chances(cell.x, cell.y + 57.0 * row);
        float turn = sin(0.7 * time + 40.0 * chance.z);
        vec2 wander = vec2(0.16, 0.12 * (chance.x - chance.y)) * turn;
        vec2 d = (fract(q) - 0.5 - 0.4 * (chance.xy - 0.5) - wander) * vec2(1.5, 1.15);
        float pixel = t * pixel_angle;
        // Out of focus near the camera.
        float radius = mix(0.014, 0.02, dark) + 0.03 * smoothstep(5.0, 1.0, ahead) + 0.9 * pixel;
        float disc = smoothstep(radius, radius * 0.55, length(d)) * (0.02 / radius);
        float glow = dark * 0.0016 / (dot(d, d) + 0.004) * smoothstep(0.34, 0.1, length(d));
        float share = step(chance.w, 0.16 + 0.18 * density);
        float blink = 0.35 + 0.65 * smoothstep(-0.3, 0.8, turn * (chance.y - 0.5) * 2.5);
        float answer = mix(blink, 1.0, 0.75 * onset * step(0.4, chance.z));
        float seen = smoothstep(0.7, 2.2, ahead) * smoothstep(3.0 * APART, 2.0 * APART, ahead)
            * step(t, until) * smoothstep(0.0, 0.35, p.y - ground_height(p.x));
        vec3 light = mix(sun_colour * 0.4 * (0.6 + 0.9 * onset),
            fly * answer * 2.2 * smoothstep(5.5, 2.0, p.y), dark);
        sum += light * (disc + glow) * share * seen;
    }
    return sum * (1.0 - 0.7 * rain) * (1.0 - 0.6 * snow) * (1.0 - 0.8 * storm);
}

// Leaves that spin down on a few planes: cover in w.
vec4 falling_leaves(vec3 origin, vec3 ray, float until) {
    const float APART = 4.2;
    float cover = 0.0, bright = 0.0;
    float first = floor(origin.z / APART) + 1.0;
    for (int i = 0; i < 2; i++) {
        if (has_falling_leaves < 0.5) break;
        float row = first + float(i);
        float ahead = row * APART - origin.z;
        float t = ahead / max(ray.z, 0.02);
        vec3 p = bent(origin, ray, t);
        vec2 size = vec2(1.9, 2.6);
        vec2 q = p.xy / size;
        float column = floor(q.x);
        float pace = share_of(stir(knot(column, row)));
        q.y += time * (0.2 + 0.18 * pace) + pace * 31.0;
        vec4 chance = chances(column + 31.0 * row, floor(q.y));
        vec2 d = (fract(q) - 0.5 - 0.3 * (chance.xy - 0.5)) * size;
        d.x -= 0.3 * sin(1.3 * time + 20.0 * chance.z) + 0.1 * wind * sin(2.1 * time);
        float turn = 2.0 * time * (chance.z - 0.5) + 6.28 * chance.w;
        d = mat2(cos(turn), -sin(turn), sin(turn), cos(turn)) * d;
        float flat_on = 0.25 + 0.75 * abs(sin(1.9 * time + 17.0 * chance.x));
        float edge = length(d / vec2(0.055, 0.03 * flat_on)) - 1.0;
        float w = t * pixel_angle / 0.03;
        float shape = saturate(0.5 - edge / w) * step(chance.w, 0.7)
            * smoothstep(1.5, 3.5, ahead) * smoothstep(2.0 * APART, 1.3 * APART, ahead)
            * step(t, until);
        cover = max(cover, shape);
        bright = max(bright, shape * flat_on);
    }
    vec3 paint = mix(accent_a, vec3(0.5, 0.3, 0.1), 0.4);
    return vec4(paint * (ambient_colour + sun_colour * 0.4) * (0.4 + bright), cover);
}
