// What stands in the desert: towers of red rock, poles along the road, a dead tree; and far off,
// hills in the haze with a caravan on them, or a wall of dust.

// Where an upright thing at `foot` (its middle, on the ground) is met by a ray, as if it were a
// board that faces the camera. x: metres aside of its middle, y: height, z: distance along the ray.
vec3 board(vec3 origin, vec3 ray, vec3 foot) {
    vec2 way = foot.xz - origin.xz;
    float distance = length(way);
    vec2 ahead = way / max(distance, 1e-3);
    float closing = dot(ray.xz, ahead);
    float t = closing > 0.05 ? distance / closing : FAR;
    vec2 p = ray.xz * t;
    return vec3(p.x * ahead.y - p.y * ahead.x, origin.y + ray.y * t - foot.y, t);
}

// ---- towers of rock ----------------------------------------------------------------------------

const float TOWER_EVERY_M = 390.0;

struct Tower {
    float t;       // distance along the ray, FAR where there is none
    float round_;  // -1 to 1 from its left edge to its right
    float y;
    float high;
    float chance;
};

// The nearest tower that a ray meets: one in each stretch of the way, alternating sides.
Tower meet_tower(vec3 origin, vec3 ray) {
    Tower met = Tower(FAR, 0.0, 0.0, 1.0, 0.0);
    // One behind the camera may still reach into the picture.
    float first = floor(origin.z / TOWER_EVERY_M) - 1.0;
    int count = is_mesas() > 0.5 ? 7 : (is_road() * has_towers > 0.5 ? 6 : 0);
    for (int i = 0; i < count; i++) {
        float cell = first + float(i);
        vec4 chance = hash24(vec2(cell, 91.0 * place.w));
        float side = mod(cell, 2.0) < 0.5 ? -1.0 : 1.0;
        float high = mix(62.0, 128.0, chance.z), broad = mix(0.28, 0.8, chance.w) * high;
        // Rubble and all, it stays clear of the way.
        vec3 foot = vec3(side * (48.0 + 1.9 * broad + 170.0 * chance.x), -3.0,
            (cell + 0.25 + 0.5 * chance.y) * TOWER_EVERY_M);
        vec3 at = board(origin, ray, foot);
        float v = at.y / high;
        if (abs(at.x) < 2.0 * broad && v < 1.0 && v > -0.2) {
            float ledge = hash11(floor(at.x / broad * 2.3 + 7.0) + 13.0 * cell);
            float top = 1.0 - 0.24 * smoothstep(0.35, 0.75, ledge) * step(0.3, abs(at.x) / broad);
            float talus = square(saturate(1.0 - v / 0.4));
            float rough = line_noise(at.y * 0.07 + 31.0 * chance.x + (at.x > 0.0 ? 9.0 : 0.0));
            float reach = broad * (1.0 + 0.85 * talus - 0.1 * v
                + 0.1 * (rough - 0.5) * (1.0 - talus));
            // Those that come up at the end of the row do so in the haze.
            float grown = smoothstep(float(count) - 1.8, float(count) - 2.8,
                at.z / TOWER_EVERY_M);
            if (abs(at.x) < reach && v < top * grown) {
                met = Tower(at.z, at.x / reach, at.y, high, chance.x);
            }
        }
        if (met.t < FAR) break;
    }
    return met;
}

vec3 tower_light(vec3 ray, Tower tower) {
    vec2 ahead = normalize(ray.xz), right = vec2(ahead.y, -ahead.x);
    float around = asin(clamp(tower.round_, -1.0, 1.0)) + bearing(ray);
    float v = tower.y / tower.high;
    float seen = 1.0 / (1.0 + square(tower.t * pixel_angle * 0.12));
    float cliff = smoothstep(0.3, 0.42, v);
    float flutes = value_noise(vec2(around * 9.0 + 40.0 * tower.chance, tower.y * 0.02)) - 0.5;
    flutes += 0.6 * seen * (value_noise(vec2(around * 27.0, tower.y * 0.07)) - 0.5);
    float strata = 0.78 + 0.42 * line_noise(tower.y * 0.13 + 5.0 * flutes * (1.0 - cliff))
        * mix(0.5, 1.0, cliff);
    float out_ = tower.round_ + 1.1 * flutes * mix(0.6, 1.0, cliff);
    vec2 side = right * out_ - ahead * sqrt(max(1.0 - out_ * out_, 0.05));
    vec3 normal = normalize(vec3(side.x, mix(0.75, 0.1, cliff), side.y));
    vec3 rock = mix(vec3(0.5, 0.23, 0.13), accent_a * 0.55, 0.3) * strata;
    // A bright cap, and rubble at the foot as pale as the sand.
    rock = mix(rock, sand_colour() * 0.75, 0.7 * (1.0 - cliff));
    return lit_surface(rock, normal, 1.0);
}

// ---- poles and a wire along the road -----------------------------------------------------------

const float POLES_X = 8.5;
const float POLES_EVERY_M = 46.0;

float poles(vec3 origin, vec3 ray, float reach) {
    float t = (POLES_X - origin.x) / (abs(ray.x) < 1e-4 ? 1e-4 : ray.x);
    if (t < 0.5 || t > reach) return 0.0;
    vec3 p = origin + ray * t;
    float w = t * pixel_angle, level = max(length(ray.xz), 1e-3);
    float along = p.z / POLES_EVERY_M;
    float aside = (fract(along) - 0.5) * POLES_EVERY_M * abs(ray.x) / level;
    float thin = min(1.0, 0.22 / w) * smoothstep(1100.0, 500.0, t);
    float post = soft_box(aside, -0.11, 0.11, w) * soft_box(p.y, -1.0, 7.6, w) * thin;
    float arm = soft_box(aside, -1.1 * abs(ray.z) / level, 1.1 * abs(ray.z) / level, w)
        * soft_box(p.y, 6.9, 7.12, w) * thin;
    float hang = 7.15 - 1.3 * (1.0 - square(2.0 * abs(fract(along) - 0.5)))
        * (1.0 + 0.08 * wave(0.27 * time + 0.16 * floor(along + 0.5)) * (wind + heave));
    float wire = saturate(1.0 - abs(p.y - hang) / max(w, 0.05)) * min(1.0, 0.05 / w);
    return max(max(post, arm), wire * smoothstep(700.0, 200.0, t));
}

// ---- a dead tree -------------------------------------------------------------------------------

const float TREE_EVERY_M = 240.0;

// Share of the pixel that a bare tree covers: one trunk, folded over itself into branches. There
// is one to a stretch of the way; the next comes out of the haze when the last is behind.
float tree(vec3 origin, vec3 ray, float reach) {
    float cell = floor(origin.z / TREE_EVERY_M + 0.4);
    vec4 chance = hash24(vec2(cell, 57.0 * place.z + 3.0));
    vec3 foot = vec3((chance.x < 0.5 ? -1.0 : 1.0) * mix(9.0, 24.0, chance.y), 0.0,
        (cell + 0.5) * TREE_EVERY_M);
    float away = distance(foot.xz, origin.xz);
    foot.y = dunes(foot.xz, away).x - 0.3;
    vec3 at = board(origin, ray, foot);
    float high = mix(5.0, 8.5, chance.z);
    vec2 q = at.xy / high;
    float w = at.z * pixel_angle / high;
    // It leans with the wind and gives way to the bass.
    q.x += q.y * q.y * (0.1 * wave(0.15 * time + chance.w) * (0.3 + wind)
        + 0.12 * heave * (0.5 + motion)) + 0.05 * wave(0.8 * q.y + chance.w) - 0.1 * q.y;
    float thin = 0.036, long_ = 0.34, d = 1.0;
    int folds = has_tree > 0.5 && abs(q.x) < 0.8 && q.y > -0.05 && q.y < 1.4 && at.z < reach
        ? 6 : 0;
    for (int j = 0; j < folds; j++) {
        float h = clamp(q.y, 0.0, long_);
        d = min(d, length(q - vec2(0.0, h)) - thin * (1.0 - 0.45 * h / long_));
        q.y -= long_ * (j == 0 ? 0.92 : 0.86);
        float lean = 0.45 + 0.17 * float(j % 2) + 0.22 * (chance.w - 0.5)
            + (q.x > 0.0 ? 0.16 : 0.0);
        q.x = abs(q.x);
        // Turned by nearly `lean` radians, without a sine.
        q = vec2(q.x - lean * q.y, lean * q.x + q.y) * inversesqrt(1.0 + lean * lean);
        thin *= 0.6;
        long_ *= 0.74;
    }
    if (folds == 0) return 0.0;
    return saturate(0.5 - d / max(w, 1e-4)) * smoothstep(0.88 * TREE_EVERY_M, 0.7 * TREE_EVERY_M,
        away) * smoothstep(3.0, 7.0, away);
}

// ---- far off -----------------------------------------------------------------------------------

// Height, as a slope, of the mountains round a salt flat.
float salt_hills(float b) {
    float x = b + 13.0 * place.z;
    return 0.08 * max(line_fbm(x * 5.0, 4) * (0.55 + 0.8 * line_noise(x * 1.3)) - 0.15, 0.0);
}

// Height, as a slope, of the hills at the end of sight.
float far_hills(float b, float layer) {
    float x = b * (1.0 - 0.3 * layer) + 5.0 * layer;
    if (is_salt() > 0.5) return salt_hills(x) * (1.0 - 0.35 * layer);
    x += 13.0 * place.z;
    if (is_dunes() > 0.5) {
        float u = fract(x * 2.6 + 0.2 * wave(0.8 * x));
        return (0.012 + 0.026 * profile(u) * line_noise(x * 1.7 + 3.0)) * (1.0 - 0.35 * layer);
    }
    // Tablelands: steps between even tops.
    float block = line_noise(x * 3.1);
    float steps = smoothstep(0.4, 0.46, block) + 0.6 * smoothstep(0.62, 0.66, block);
    return 0.006 + (0.026 * steps + 0.004 * line_noise(x * 17.0)) * (1.0 - 0.4 * layer);
}

// A line of camels on the far hills, walking with the clock; one shape, repeated.
float caravan(float b, float rise, float hill) {
    const float APART = 0.024;
    float start = 0.3 * (place.w - 0.5) - 0.0016 * (time - 110.0);
    float x = (b - start) / APART;
    float number = floor(x);
    if (number < 0.0 || number > 5.0) return 0.0;
    float size = 0.0088;
    vec2 q = vec2((fract(x) - 0.5) * APART, rise - hill) / size;
    float w = pixel_angle / size;
    q.y -= 0.04 * sin(6.0 * time + 2.4 * number);
    float body = length((q - vec2(0.0, 0.92)) * vec2(1.0, 1.75)) - 0.5;
    body = min(body, length((q - vec2(0.02, 1.3)) * vec2(1.15, 1.0)) - 0.24);
    vec2 neck = q - vec2(-0.62, 1.15);
    body = min(body, length(vec2(neck.x + 0.12 * neck.y, max(abs(neck.y) - 0.36, 0.0))) - 0.11);
    body = min(body, length((q - vec2(-0.8, 1.58)) * vec2(0.8, 1.3)) - 0.16);
    float stride = 0.14 * sin(3.0 * time + 2.4 * number);
    float legs = abs(abs(q.x) - 0.33 - stride * (0.8 - q.y) * sign(q.x)) - 0.085;
    body = min(body, max(legs, abs(q.y - 0.35) - 0.5));
    return saturate(0.5 - body / max(w, 0.02)) * step(-0.1, q.y);
}

// A wall of dust that comes on: how much of the pixel it covers, and its light.
vec4 dust_wall(vec3 ray, float b, float rise) {
    float swelling = 0.13 + 0.05 * heave;
    vec2 q = vec2(b * 2.2 + 9.0 * place.z, rise * 3.2 - 0.12 * time);
    float billow = fbm(q + vec2(0.08 * time, 0.0), 4);
    float high = swelling + 0.34 * (billow - 0.32) + 0.06 * sin(b * 1.6 + 4.0 * place.y);
    float cover = smoothstep(0.0, 0.05, high - rise);
    float beyond = fbm(q + vec2(0.09 * sign(sun_direction.x), 0.16), 3);
    float lit = saturate(0.35 + 2.4 * (billow - beyond));
    vec3 light = sand_colour() * (ambient_colour * (0.5 + 0.9 * lit) + sunlight() * lit)
        + horizon_colour * 0.18;
    return vec4(light, cover * 0.94);
}

// Hills, caravan and dust, painted over the sky.
vec3 distance_light(vec3 ray, vec3 sky, inout float thing) {
    float b = bearing(ray), rise = rise_of(ray), w = pixel_angle;
    // Over a hot plain the foot of the hills is a mirror of the sky: they float.
    float shown = is_salt() > 0.5 ? abs(rise - 0.0045) - 0.001 : rise;
    vec3 air = far_air(ray), light = sky;
    vec3 dark = mix(shadow_colour * 0.5, zenith_colour, 0.5) + 0.12 * ambient_colour;
    float hill = 0.0;
    for (float i = 1.0; i >= 0.0; i--) {
        hill = far_hills(b, i);
        float cover = smoothstep(hill + w, hill - w, shown) * step(1e-4, hill);
        vec3 face = dark + (sand_colour() * sunlight() * 0.55) * 0.25;
        if (i < 0.5) {
            float steep = far_hills(b + 0.006 * sign(sun_direction.x + 1e-3), 0.0) - hill;
            face -= (sand_colour() * sunlight() * 0.55) * clamp(60.0 * steep, -0.75, 0.25);
        }
        face = mix(air, face, (0.62 - 0.26 * i) * (1.0 - 0.8 * fog));
        light = mix(light, face, cover * (shown < 0.0 ? 0.0 : 1.0));
        thing += 5.0 * step(0.5, cover);
    }
    float camels = has_caravan * is_dunes() * (1.0 - storm) * (1.0 - fog);
    light = mix(light, mix(air, dark * 0.5, 0.85), 0.9 * camels * caravan(b, rise, hill - 0.0006));
    return light;
}
