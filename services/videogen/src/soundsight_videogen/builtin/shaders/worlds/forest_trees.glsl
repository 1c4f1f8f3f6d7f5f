// Rows of trees: upright planes across the way, each with trunks, branches and leaves.

const float ROW_APART = 7.2;
const int ROWS = 7;
const float LAST_ROW = ROW_APART * (float(ROWS) - 1.0);

float row_z(float row) { return (row + 0.4 * share_of(stir(knot(row, 3.0)))) * ROW_APART; }

// How far a tree has been bent to the side, per square metre of height.
float sway(float seed) { return bending * (0.45 + 1.2 * sin(0.95 * time + seed)); }

// Birch: white skin with dark lips across it. `u` from -1 to 1 around the visible half.
vec3 birch_skin(float u, float h, float seed, float fine) {
    float band = floor(h * 3.3 + seed * 9.0);
    vec4 chance = chances(band, floor(seed * 997.0));
    float tall = fract(h * 3.3 + seed * 9.0) - (0.3 + 0.4 * chance.y);
    float across = u - (chance.x * 2.4 - 1.2);
    float half_height = (0.06 + 0.16 * chance.w * chance.w)
        * saturate(1.0 - square(across / (0.35 + 0.7 * chance.z)));
    float mark = smoothstep(0.08 + fine, -0.02 - fine, abs(tall) - half_height)
        * step(0.01, half_height) * (1.0 - 0.75 * saturate(fine * 1.5));
    float black_foot = smoothstep(0.9, 0.1, h) * 0.7;
    vec3 white = mix(vec3(0.62, 0.58, 0.52), light_colour, 0.4);
    return mix(white, bark * 0.6, max(mark, black_foot));
}

// What a row adds at a point of its plane: light and cover. `at` names the trunk that is hit.
vec4 tree_row(vec3 p, float row, float distance, vec3 ray, float lit, inout float at) {
    float level = inversesqrt(max(dot(ray.xz, ray.xz), 1e-4));
    float facing = ray.z * level;
    float pixel = distance * pixel_angle;
    float slide = share_of(stir(knot(row, 11.0)));
    // The wind bends a row as one, so that no tree leaves its cell.
    float rise = max(p.y - ground_height(p.x), 0.0);
    p.x -= sway(row + 0.12 * p.x) * rise * min(rise, 14.0);
    float cell = floor(p.x / wood.apart + slide);
    vec4 chance = chances(cell, row);
    float radius = mix(wood.radius.x, wood.radius.y, chance.z * chance.z);
    float room = 0.5 * wood.apart - 1.5 * radius - 0.4;
    float aside = (2.0 * chance.x - 1.0) * room;
    float stands_at = (cell + 0.5 - slide) * wood.apart + aside;
    float stands = step(chance.w, wood.filled)
        * step(radius * 1.5, max(wood.open.x - stands_at, stands_at - wood.open.y));
    float h = p.y - ground_height(stands_at);
    float seed = 6.28 * chance.y + row;
    float shift = (chance.y - 0.5) * 0.05 * h + 0.09 * radius * sin(0.7 * h + seed);
    float d = (p.x - stands_at - shift) * facing;
    float tall = kind == BIRCHES ? 15.0 : 26.0;
    float thick = radius * (max(1.0 - h / tall, 0.0) + 0.55 * exp(-2.6 * max(h, 0.0)));
    float solid = saturate((thick - abs(d)) / pixel + 0.5) * step(-0.4, h) * step(0.012, thick);

    // One branch to a side in every band of height, rising and thinning out.
    float band = floor(h / 1.5);
    vec2 where = chances(band + 13.0 * cell, row).xz;
    float side = fract(where.x * 7.0) > 0.5 ? 1.0 : -1.0;
    float out_d = d * side;
    float reach = min((0.7 + 1.7 * where.y) * (0.6 + 0.8 * wood.radius.y),
        0.5 * wood.apart - side * (aside + shift));
    float slope = 0.75 / max(reach, 0.75) * where.x;
    float over = h - band * 1.5 - 0.12 - 0.5 * where.y - slope * out_d;
    float twig = 0.2 * radius * saturate(1.0 - out_d / reach) + 0.004;
    float branch = saturate((twig - abs(over)) / pixel + 0.5) * min(1.0, 2.0 * twig / pixel)
        * step(0.0, out_d) * step(out_d, reach) * step(2.2, h) * step(h, 0.8 * tall)
        * smoothstep(0.6, 1.8, distance);
    float wooden = max(solid, branch) * stands;

    float u = clamp(d / max(thick, 1e-3), -1.0, 1.0);
    float rough = weave(vec2(u * (2.2 + 5.0 * radius) + seed, h * 1.1));
    vec3 skin = bark * (0.45 + 1.1 * rough);
    skin = mix(skin, moss * 0.8, smoothstep(1.6, 0.0, h + 1.5 * rough) * 0.7);
    if (kind == BIRCHES) {
        skin = mix(birch_skin(u, h, chance.z, pixel / 0.12), bark, branch * (1.0 - solid));
    }
#ifdef WITH_SNOW
    float drift = smoothstep(0.5, 0.75, rough + 0.35 * u) * 0.55 + smoothstep(0.5, 0.0, h);
    skin = mix(skin, vec3(0.7), saturate(drift + 0.45 * branch * (1.0 - solid)) * snow);
#endif
    // The sun stands behind: it touches the side that is turned to it.
    float sunward = dot(vec2(ray.z, -ray.x), sun.xz) * level;
    float rim = saturate(u * sign(sunward) * 0.6 + 0.42 + 0.25 * abs(sunward));
    rim *= square(square(rim));
    vec3 light = skin * (ambient_colour * (1.1 + 0.3 * u * sign(sunward))
        + sun_colour * (rim * (0.5 + 1.6 * lit) + 0.1 * lit));
    if (wooden > 0.5) at = 5.0 + 2.0 * row + 40.0 * chance.y;
    return vec4(light, wooden);
}

// Leaves of a row: light and cover.
vec4 leaf_row(vec3 p, float row, float distance, float ahead, float against) {
    float pixel = distance * pixel_angle;
    float h = p.y - 0.6 * ground_height(p.x) - wood.crown;
    float moved = sway(row) * 60.0 + 0.05 * sin(1.7 * time + p.x + row) * (0.3 + wind + 0.5 * bass);
    vec2 q = vec2(p.x + moved, p.y) + 17.0 * chances(row, 5.0).xy;
    float clump = weave(q * vec2(0.3, 0.42));
    float spray = weave(ASKEW * q * 1.4 + 3.7);
    float blade = weave(q * ASKEW * 5.8 + 0.4 * time * (0.2 + wind));
    float fine = 1.0 / (1.0 + square(pixel * 5.0));
    float open = kind == CLEARING
        ? smoothstep(-1.0, 4.5, min(p.x - wood.open.x, wood.open.y - p.x) + 0.22 * (p.y - 9.0))
        : 0.3 * exp(-square(p.x / 3.0));
    float rise = clamp(h / 7.0, -1.0, 0.62);
    float field = 0.46 * clump + 0.28 * spray + 0.26 * mix(0.5, blade, fine)
        + 0.5 * rise + 0.28 * (wood.leaves - 0.5) + 0.1 * density - 0.55 * open;
    float soft = 0.015 + 0.12 * (1.0 - fine);
    float cover = smoothstep(0.56 - soft, 0.6 + soft, field) * smoothstep(-0.5, 1.5, h)
        * smoothstep(0.8, 4.0, ahead);
    float thin = smoothstep(0.85, 0.56, field);
    vec3 lit = leaf * (ambient_colour * (0.25 + 0.5 * blade * thin)
        + sun_colour * (0.05 + 0.9 * against * thin * (0.5 + blade)));
#ifdef WITH_SNOW
    float laden = snow * (0.25 + 0.65 * smoothstep(0.4, 0.65, spray));
    lit = mix(lit, vec3(0.75) * ambient_colour, laden);
#endif
    return vec4(lit, cover);
}
