// The wood from above: treetops row behind row, standing in a sea of mist.

const float TOPS_APART = 9.0;
const int TOPS_ROWS = 11;

// One row of crowns: light and cover.
vec4 treetops(vec3 p, float row, float distance, vec3 air, inout float at) {
    float pixel = distance * pixel_angle;
    float x = p.x + 2.0 * sin(row * 2.4);
    float ragged = weave(vec2(x * 2.6, p.y * 2.2 + 9.0 * row)) - 0.5;
    float tufts = weave(vec2(x * 1.3, p.y * 1.6 + 5.0 * row));
    float moved = sway(row) * 200.0;
    float narrow = kind == PILLARS || kind == HOLLOW ? 3.0 : 2.1;
    float best = -FAR, lean = 0.0, seed = 0.0;
    // Two sets of trees, so that crowns overlap.
    for (int i = 0; i < 2; i++) {
        float apart = i == 0 ? 6.4 : 4.3;
        float cell = floor(x / apart);
        vec4 chance = chances(cell, 2.0 * row + float(i) + 400.0);
        float d = x - moved * chance.y - (cell + 0.5 + 0.3 * (chance.x - 0.5)) * apart;
        float tip = 10.0 + 10.0 * chance.z * chance.z + float(i);
        // Storeys of branches.
        float storey = fract(p.y * 0.8 + chance.x) * smoothstep(0.1, 0.9, abs(d));
        float crown = tip - narrow * abs(d) - (narrow - 1.9) * storey
            + (3.2 - 0.8 * narrow) * ragged;
        if (crown > best) { best = crown; lean = d / apart; seed = chance.w; }
    }
    best = max(best, 8.5 + ragged);
    float cover = saturate((best - p.y) / pixel + 0.5);
    float depth = max(best - p.y, 0.0);
    float side = saturate(0.5 + 1.6 * lean * sign(sun.x));
    vec3 light = leaf * (0.4 + 0.5 * seed) * (ambient_colour * (0.3 + 0.7 * tufts)
        + sun_colour * (0.05 + 0.7 * side * tufts) * exp(-0.4 * depth));
#ifdef WITH_SNOW
    light = mix(light, ambient_colour * 0.9,
        snow * smoothstep(0.35, 0.6, tufts) * exp(-0.2 * depth));
#endif
    // The mist lies between them and rises with the bass.
    float swell = weave1(p.x * 0.06 - 0.05 * time, row) - 0.5;
    float sea = 11.5 + 2.0 * heave + 3.5 * swell + 2.0 * fog;
    light = mix(light, air, (0.72 + 0.2 * fog) * smoothstep(4.0, -4.0, p.y - sea));
    if (cover > 0.5) at = 5.0 + 2.0 * row + 3.0 * seed;
    return vec4(light, cover);
}
