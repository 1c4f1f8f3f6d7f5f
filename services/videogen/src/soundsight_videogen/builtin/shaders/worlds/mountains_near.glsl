// The ground near the camera: a knife edge of rock, or a slope with pines beside the valley.

float side_of_slope() { return place.y > 0.5 ? 1.0 : -1.0; }

// Where the knife edge runs: x aside, y height.
vec2 edge_line(float z) {
    return vec2(13.0 * wave(z / 290.0 + place.w) + 4.0 * wave(z / 103.0),
        0.1 * z + 9.0 * wave(z / 340.0 + place.z) + 2.5 * wave(z / 83.0));
}

// Metres from where the slope beside the valley begins, across it.
float up_slope(vec2 p) { return side_of_slope() * p.x - 25.0 - 8.0 * wave(p.y / 150.0 + place.z); }

// Height of the slope without its unevenness.
float slope_height(vec2 p) { return 0.36 * up_slope(p) - 2.4; }

// Height of the near ground, smoother far off; the edge bends down with the distance `t`, into
// the cloud.
float near_height(vec2 p, float t) {
    float height = slope_height(p) + 1.9 * wave(0.013 * p.x + 0.009 * p.y)
        + 0.6 * wave(0.029 * p.y - 0.023 * p.x + 0.4 * wave(0.013 * p.y))
            / (1.0 + square(t * 0.018));
    if (is_edge() > 0.5) {
        vec2 line = edge_line(p.y);
        float d = abs(p.x - line.x);
        float rough = value_noise(p * 0.13) - 0.5
            + 0.36 * (value_noise(p * 0.41 + 7.0) - 0.5) / (1.0 + square(t * 0.02));
        height = line.y - 0.95 * d * d / (d + 6.0) + rough * min(0.8 + 0.5 * d, 7.0)
            - t * t / 1000.0;
    }
    return height;
}

// How far the near ground is drawn; the edge is lost in cloud sooner.
float near_reach() { return mix(420.0, 230.0, is_edge()); }

// Distance to the near ground, FAR where the ray does not meet it.
float meet_near(vec3 origin, vec3 ray, float last) {
    float t = 0.6, before = 0.0, gap_before = 1.0, gap = 1.0;
    float steep = mix(0.42, 1.0, is_edge());
    float rate = 1.25 / max(steep * length(ray.xz) - ray.y, 0.2);
    last = min(last, near_reach());
    int steps = is_edge() > 0.5 ? 24 : 32;
    for (int i = 0; i < steps; i++) {
        vec3 p = origin + ray * t;
        gap = p.y - near_height(p.xz, t);
        if (gap < 0.002 * t || t > last) break;
        before = t;
        gap_before = gap;
        t += gap * rate + 0.012 * t + 0.1;
    }
    // Between the last two steps when the last went through; where it ended short of the ground,
    // a little further on, if the ground was coming nearer.
    float closing = gap_before - gap;
    float hit = before + (t - before) * gap_before / max(closing, 1e-4);
    bool short_of = gap > 0.002 * t;
    bool met = !short_of || (ray.y < -0.02 && gap < 0.02 * t) || (closing > 0.0 && hit < 1.2 * t);
    hit = gap < 0.0 ? hit : (short_of && closing > 0.0 ? min(hit, 1.05 * t) : t);
    return met && hit < last ? max(hit, 0.3) : FAR;
}

vec3 near_light(vec3 p, vec3 ray, float t) {
    float e = max(0.25, 0.8 * t * pixel_angle);
    float here = near_height(p.xz, t);
    vec2 slope = (vec2(near_height(p.xz + vec2(e, 0.0), t), near_height(p.xz + vec2(0.0, e), t))
        - here) / e;
    float fine = mix(0.5, 0.6 * value_noise(p.xz * 1.1) + 0.4 * value_noise(p.xz * 3.7 + p.y),
        1.0 / (1.0 + square(t * pixel_angle * 3.0)));
    slope += (fine - 0.5) * vec2(0.4, -0.3);
    // On the edge, stone breaks through the snow.
    float bare = is_edge() * smoothstep(0.5, 0.62, value_noise(p.xz * 0.31) * 0.7 + 0.3 * fine);
    slope += bare * (fine - 0.5) * vec2(1.9, -1.5);
    vec3 normal = normalize(vec3(-slope.x, 1.0, -slope.y));
    float flat_ = smoothstep(0.5, 0.85, normal.y + 0.1 * (fine - 0.5));
    vec3 grass = mix(mix(vec3(0.09, 0.1, 0.05), accent_c * 0.22, 0.4), shadow_colour + 0.02, 0.3)
        * (0.7 + 0.6 * fine);
    vec3 cover = mix(grass, snow_colour(), saturate(is_edge() + is_face() + 1.4 * snow
        + smoothstep(0.6, 0.75, place.w)));
    vec3 colour = mix(rock_colour() * (0.6 + 0.8 * fine), cover, flat_ * (1.0 - 0.85 * bare));
    return lit_surface(colour, normal, 1.0) + colour * ambient_colour * 0.25;
}

// ---- pines -------------------------------------------------------------------------------------

const float PINES_EVERY_M = 5.6;

// Share of the pixel covered by pines in rows along the slope.
float pines(vec3 origin, vec3 ray, float reach) {
    float cover = 0.0, side = side_of_slope();
    float level = max(length(ray.xz), 1e-3);
    // From high above boards would look like boards.
    float low = 1.0 - smoothstep(56.0, 72.0, camera_position.y);
    int rows = has_pines * (1.0 - is_edge()) * low > 0.01 && ray.x * side > 0.004 ? 2 : 0;
    for (int r = 0; r < rows; r++) {
        float row = side * (31.0 + 13.0 * float(r));
        float t = (row - origin.x) / ray.x;
        vec3 p = origin + ray * t;
        float nearest = floor(p.z / PINES_EVERY_M);
        float over = p.y - slope_height(vec2(row, p.z));
        int count = over > -2.5 && over < 20.0 && t < min(reach, 260.0) ? 2 : 0;
        for (int n = 0; n < count; n++) {
            if (n == 0) over = p.y - near_height(vec2(row, p.z), 0.0) + 0.6;
            float cell = nearest + (fract(p.z / PINES_EVERY_M) < 0.5 ? float(n) - 1.0 : float(n));
            vec4 chance = hash24(vec2(cell, 7.0 * float(r) + 50.0 * place.w));
            float z = (cell + 0.25 + 0.5 * chance.x) * PINES_EVERY_M;
            float high = mix(7.0, 17.0, chance.y * chance.y) * (0.9 + 0.2 * float(r));
            float v = over / high;
            float w = t * pixel_angle / high;
            float bend = 0.035 * v * v * (wave(0.3 * time + 0.07 * cell + chance.z) * (0.4 + wind)
                + heave * (0.4 + motion));
            float aside = abs((p.z - z) * abs(ray.x) / level / high + bend);
            // Tiers of branches that hang over each other.
            float tier = fract(v * (8.0 + 4.0 * chance.z) + 2.0 * aside);
            float half_ = (1.0 - v) * (0.1 + 0.12 * (1.0 - tier) + 0.05 * chance.w);
            half_ = v < 0.1 ? 0.018 : half_;
            float here = saturate((half_ - aside) / max(w, 1e-4) + 0.5)
                * smoothstep(-0.01, 0.01, v) * smoothstep(1.0 + w, 1.0 - w, v);
            here *= step(chance.w, 0.35 + 0.6 * density) * smoothstep(260.0, 180.0, t);
            cover = max(cover, here);
        }
    }
    return cover * low;
}
