// The desert's ground: two families of dunes with one gentle and one steep flank, meeting in a
// sharp crest; or a plain. Its height, the way of a ray to it, and its light.

const float kind = float(KIND);
float is_dunes() { return kind == 0.0 ? 1.0 : 0.0; }
float is_salt() { return kind == 1.0 ? 1.0 : 0.0; }
float is_road() { return kind == 2.0 ? 1.0 : 0.0; }
float is_mesas() { return kind == 3.0 ? 1.0 : 0.0; }

// How much of the dunes' height a place has.
float dune_share() {
    return kind == 0.0 ? 1.0 : kind == 1.0 ? 0.0 : kind == 2.0 ? 0.12 : 0.24;
}

const float CREST = 0.68;      // where in a wave the crest stands
const float BIG_M = 190.0;     // from crest to crest
const float SMALL_M = 47.0;
const float HEIGHT_M = 34.0;
const float SMALL_HEIGHT_M = 2.6;

// The bass lifts the dunes: slowly, as heavy things move.
float swell() { return 1.0 + 0.16 * heave * (0.5 + 0.5 * motion); }

// How high the big dunes stand around a point: low along the camera's way, high to its sides.
float envelope(vec2 p) {
    float waves = 0.5 + 0.28 * wave(p.x * 0.0011 + 0.27 * wave(p.y * 0.0005) + place.y)
        + 0.22 * wave(p.y * 0.00148 - p.x * 0.00075 + place.z);
    float aside = (p.x - 34.0 * wave(p.y * 0.0011 + place.w)) / 90.0;
    float valley = aside * aside / (1.0 + aside * aside);
    return HEIGHT_M * dune_share() * swell() * (0.16 + 0.84 * valley) * (0.4 + 0.6 * waves);
}

// The height of a dune at phase u of its wave, 0 to 1: smooth below, sharp above.
float profile(float u) {
    float m = min(u / CREST, (1.0 - u) / (1.0 - CREST));
    return m * m * (1.7 - 0.7 * m);
}

// The way across the crests, set once per pixel by `lay_out`: neither along nor against the
// light, so that every dune has a side in light and one in shade.
vec2 dune_axis;

void lay_out() {
    vec2 sun = normalize(sun_direction.xz + 1e-4);
    float turn = (place.y > 0.5 ? 1.0 : -1.0) * (0.55 + 0.5 * place.z);
    dune_axis = vec2(cos(turn) * sun.x - sin(turn) * sun.y, sin(turn) * sun.x + cos(turn) * sun.y);
}

// x: height; y: phase within the big wave; z: how high the crests stand here. `t` is how far from
// the camera it is.
vec3 dunes(vec2 p, float t) {
    float s = dot(p, dune_axis), c = dot(p, vec2(-dune_axis.y, dune_axis.x));
    float bend = 0.34 * wave(c * 0.0027 + place.w) + 0.16 * wave(c * 0.0065 + s * 0.0021);
    float u = fract(s / BIG_M + bend + 0.006 * time);
    float crest = envelope(p) / (1.0 + square(t * 0.001));
    vec2 q = vec2(s + 0.55 * c, c - 0.55 * s);
    float v = fract(q.x / SMALL_M + 0.3 * wave(q.y * 0.008 + 0.3 * wave(q.x * 0.0018))
        + 0.011 * time);
    float low = SMALL_HEIGHT_M * dune_share() * (0.55 + 0.45 * wave(q.y * 0.0037 + s * 0.0027))
        / (1.0 + square(t * 0.004));
    return vec3(crest * profile(u) + low * profile(v), u, crest);
}

// Where a ray meets the ground, at most `last` metres away. y: how much blown sand hangs before it.
vec2 ground_hit(vec3 origin, vec3 ray, float last) {
    float t = 0.4, before = 0.0, gap_before = 1.0, gap = 1.0, smoke = 0.0;
    // No flank is steeper than this, so a step of gap / (slope - ray.y) does not go through one.
    float rate = 1.0 / max(0.42 * length(ray.xz) - ray.y, 0.08);
    for (int i = 0; i < 36; i++) {
        vec3 p = origin + ray * t;
        vec3 dune = dunes(p.xz, t);
        gap = p.y - dune.x;
        if (gap < 0.0014 * t || t > last) break;
        float pace = gap * rate + 0.002 * t;
        // Wind takes sand off the crests and carries it out over the steep side.
        float lee = (dune.y - CREST + 0.03) / 0.22;
        smoke += min(pace, 14.0) * exp(-1.1 * gap) * saturate(lee * 9.0)
            * exp(-2.2 * max(lee, 0.0));
        before = t;
        gap_before = gap;
        t += pace;
    }
    float back = saturate(gap_before / max(gap_before - gap, 1e-3));
    t = gap < 0.0 ? mix(before, t, back) : t;
    return vec2(min(t, last), smoke);
}

// Share of the sun that the next crest towards it lets through.
float past_crests(vec3 dune) {
    float pace = dot(sun_direction.xz, dune_axis) / BIG_M;
    float level = length(sun_direction.xz);
    float phases = fract((CREST - dune.y) * sign(pace));
    float away = phases / max(abs(pace), 1e-4) * level;
    float over = 0.92 * dune.z - dune.x - away * sun_direction.y / level;
    return 1.0 - smoothstep(-0.2, 0.5 + 0.012 * away, over) * smoothstep(0.0, 0.02, phases);
}

// ---- light -------------------------------------------------------------------------------------

vec3 sand_colour() { return mix(vec3(0.6, 0.41, 0.25), light_colour * 0.58, 0.62); }

// ---- sand --------------------------------------------------------------------------------------

vec2 wind_way() { return normalize(dune_axis + vec2(0.3, 0.2)); }

// Wind ripples: slopes along the wind, left out where they are smaller than a pixel.
vec2 ripples(vec2 p, float foot) {
    vec2 along = wind_way();
    float bend = 0.2 * wave(dot(p, vec2(-along.y, along.x)) * 0.11 + 0.2 * wave(p.x * 0.037));
    float fine = dot(p, along) * 1.75 + bend - 0.1 * time;
    float wide = dot(p, along) * 0.49 + 0.8 * bend + 0.17 * wave(p.y * 0.049) - 0.05 * time;
    float seen_fine = 1.0 / (1.0 + square(square(foot * 9.0)));
    float seen_wide = 1.0 / (1.0 + square(square(foot * 2.6)));
    float patches = smoothstep(0.15, 0.75, value_noise(p * 0.07 + 3.0));
    return along * (0.11 * wave(fine) * seen_fine + 0.06 * wave(wide) * seen_wide)
        * patches * mix(0.4, 1.0, saturate(sun_direction.y * 5.0));
}

// Veils of sand that run over the ground with the wind.
float running_sand(vec2 p, float t) {
    vec2 along = wind_way();
    vec2 q = vec2(dot(p, along) * 0.05, dot(p, vec2(-along.y, along.x)) * 0.42);
    q.x -= time * (0.35 + 0.5 * wind);
    float veil = smoothstep(0.42, 0.85, value_noise(q) * 0.62 + value_noise(q * 2.3 + 5.0) * 0.38);
    return veil * (0.18 + 0.5 * wind + 0.5 * heave + 0.25 * onset) / (1.0 + square(t * 0.012));
}

// Grains that catch the light towards the sun, more of them on every onset.
float glints(vec2 p, vec3 ray, float t) {
    vec2 q = p * 7.0;
    vec4 chance = hash24(floor(q));
    vec2 d = fract(q) - 0.25 - 0.5 * chance.xy;
    float size = max(0.07, t * pixel_angle * 5.0);
    float spark = smoothstep(size, 0.0, length(d)) * step(0.88, chance.z)
        * (0.35 + 0.65 * wave(0.5 * time + 7.0 * chance.w));
    float toward = max(dot(normalize(ray.xz + 1e-4), normalize(sun_direction.xz + 1e-4)), 0.0);
    return max(spark, 0.0) * (0.2 + 1.5 * onset) * square(toward) * smoothstep(26.0, 8.0, t);
}

// Bare plains: darker gravel in patches, and dry bushes that stand apart. x: the ground's
// brightness, y: share of bush.
vec2 scrub(vec2 p, float foot) {
    float patches = 0.72 + 0.5 * value_noise(p * vec2(0.06, 0.045) + 11.0 * place.z);
    vec2 q = p * 0.55 + 0.22 * (value_noise(p * 1.9) - 0.5);
    vec4 chance = hash24(floor(q) + floor(90.0 * place.w));
    vec2 d = fract(q) - 0.3 - 0.4 * chance.xy;
    float size = 0.02 + 0.13 * chance.z * chance.z * chance.z, w = 0.55 * foot;
    float bush = smoothstep(size + w, size * 0.4 - w, length(d)) * step(0.5, chance.w)
        * min(1.0, size / w);
    return vec2(patches, bush * smoothstep(5.6, 9.0, abs(p.x) + 4.0 * is_mesas()));
}

// ---- the salt flat and the road ----------------------------------------------------------------

// Distance from the edges of a net of cells, in cells (after Inigo Quilez's two-pass Voronoi).
float net(vec2 p) {
    vec2 cell = floor(p), f = fract(p), to_nearest = vec2(0.0), nearest = vec2(0.0);
    float least = 8.0;
    for (int i = 0; i < 9; i++) {
        vec2 g = vec2(float(i % 3), float(i / 3)) - 1.0;
        vec2 r = g + 0.15 + 0.7 * hash22(cell + g) - f;
        float d = dot(r, r);
        if (d < least) { least = d; to_nearest = r; nearest = g; }
    }
    float edge = 8.0;
    for (int i = 0; i < 9; i++) {
        vec2 g = vec2(float(i % 3), float(i / 3)) - 1.0;
        vec2 r = g + 0.15 + 0.7 * hash22(cell + g) - f;
        vec2 between = r - to_nearest;
        if (dot(between, between) > 1e-4) {
            edge = min(edge, dot(0.5 * (to_nearest + r), normalize(between)));
        }
    }
    return edge;
}

// Share of standing water on the salt: pools that widen with the bass.
float pools(vec2 p, float foot) {
    float basin = value_noise(p * vec2(0.021, 0.013) + 17.0 * place.zw)
        + 0.35 * value_noise(p * vec2(0.11, 0.07)) + 0.1 * value_noise(p * 0.5);
    float level = mix(0.72, 0.55, place.y) - 0.05 * heave;
    return smoothstep(level, level + 0.03 + 0.3 * foot * 0.1, basin);
}

const float ROAD_M = 3.6;      // from its middle to its edge

// Asphalt over whatever is there: worn lines, tyre marks, sand blown over its edges.
vec3 road(vec3 ground, vec2 p, vec3 normal, float foot) {
    // Sand lies over the edges in tongues.
    float tongue = mix(0.7, value_noise(p * vec2(0.4, 0.11) + vec2(0.0, 0.05 * time)) * 1.1,
        1.0 / (1.0 + square(foot * 1.2)))
        + 0.3 * wave(0.02 * p.y + 0.03 * time) * wind;
    float bare = smoothstep(-0.1, 0.3, ROAD_M - abs(p.x) - 1.6 * square(tongue));
    float on = soft_box(p.x, -ROAD_M, ROAD_M, foot + 0.06) * bare;
    float tracks = exp(-square((abs(abs(p.x) - 1.7) - 0.75) / 0.3));
    float grain = 0.85 + 0.3 * value_noise(p * 6.0) / (1.0 + 20.0 * foot);
    vec3 tar = vec3(0.075, 0.07, 0.072) * grain * (1.0 - 0.3 * tracks);
    float dash = filtered_pulse(p.y / 9.0, 0.0, 0.45, foot * 3.0 / 9.0);
    float line = soft_box(p.x, -0.09, 0.09, foot) * min(1.0, 0.18 / foot + 0.3) * dash
        + soft_box(abs(p.x), ROAD_M - 0.4, ROAD_M - 0.26, foot) * min(1.0, 0.14 / foot + 0.2);
    tar = mix(tar, mix(vec3(0.55), accent_c, 0.25) * (1.0 + 0.35 * beat), 0.8 * saturate(line));
    return mix(ground, lit_surface(tar, normal, 1.0), on);
}
