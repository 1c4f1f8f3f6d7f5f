// The ground of the wood and the ferns and grass that grow on it.

const float PLANT_APART = 1.25;
const int PLANT_ROWS = 7;
const float TALLEST_PLANT = 0.85;

// Middle of the stream, beside the way.
float stream_x(float z) {
    return wood.side * -2.6 + 0.5 * sin(0.21 * z + 6.28 * place.z) + 0.3 * sin(0.53 * z);
}

vec3 floor_light(vec3 p, vec3 ray, vec3 air, float distance, float lit) {
    float footprint = distance * pixel_angle / max(-ray.y + 0.1, 0.08);
    float fine = 1.0 / (1.0 + square(footprint * 6.0));
    float middle = 1.0 / (1.0 + square(footprint * 1.6));
    float patches = weave(p.xz * 0.45 + 3.0);
    float tufts = weave(p.xz * 1.9);
    float litter = weave(ASKEW * p.xz * 7.5);
    float speck = weave(p.xz * ASKEW * 21.0);
    float grain = 0.5 + (tufts - 0.5) * 0.7 * middle + (litter - 0.5) * 0.75 * fine
        + (speck - 0.5) * 0.8 * fine * fine;
    float grassy = kind == CLEARING || kind == BIRCHES ? 0.75 : 0.35;
    vec3 earth = mix(bark * 1.3, accent_a * 0.09 + vec3(0.05, 0.03, 0.015), 0.5);
    vec3 green = mix(moss, leaf * 0.55, 0.5);
    vec3 base = mix(earth, green, smoothstep(0.25, 0.65, patches + 0.5 * (grassy - 0.4)));
    base = mix(base, earth * 1.7 + accent_a * 0.1,
        has_falling_leaves * smoothstep(0.55, 0.75, litter + 0.2 * patches) * fine * 0.7);
    float way = wood.way * smoothstep(wood.way + 0.7, wood.way - 0.25,
        abs(p.x - 0.35 * sin(0.17 * p.z)) + 0.7 * (tufts - 0.5));
    base = mix(base, earth * 1.35 + vec3(0.02), saturate(way) * 0.75);
    base *= 0.35 + 1.3 * grain;
#ifdef WITH_SNOW
    float cover = saturate(snow * (0.75 + 0.6 * patches) - 0.25 * saturate(way) * tufts);
    base = mix(base, vec3(0.62, 0.66, 0.72) * (0.88 + 0.2 * grain), cover);
#endif
    vec3 light = base * (ambient_colour * 1.25 + sun_colour * (0.12 + 1.5 * lit));
    // Grazing light on everything damp.
    float grazing = square(saturate(1.0 - abs(ray.y)));
    float sheen = grazing * square(grazing) * (0.04 + 0.28 * wet * (0.4 + grain));
#ifdef WITH_WET
    float puddle = smoothstep(0.5, 0.7, patches + 0.25 * saturate(way)) * wet
        * (1.0 - 0.8 * snow);
    sheen = max(sheen, puddle * (0.25 + 0.5 * grazing));
#endif
    light = mix(light, air, saturate(sheen));
    float bed = abs(p.x - stream_x(p.z)) / (0.36 + 0.3 * patches);
    float ripple = weave(vec2(p.x * 6.0, p.z * 1.6 + 1.7 * time)) - 0.5;
    float water = has_stream * smoothstep(1.0 + 2.0 * footprint, 0.85 - footprint, bed);
    vec3 brook = shadow_colour * 0.12 + air * (0.25 + 0.5 * grazing) * (1.0 + 0.8 * ripple * middle)
        + sun_colour * 0.12 * lit + light_colour * (ambient_colour + 0.1)
            * (0.15 + 0.6 * onset) * smoothstep(0.2, 0.45, ripple) * middle;
    return mix(light, brook, water * (1.0 - 0.6 * snow));
}

// Ferns: fans of drooping fronds with leaflets. x: cover, y: how bright, 0 to 1.
vec2 ferns(vec3 p, float row, float pixel) {
    float apart = 1.5;
    float slide = share_of(stir(knot(row, 29.0)));
    float cell = floor(p.x / apart + slide);
    vec4 chance = chances(cell, row + 700.0);
    float middle = (cell + 0.5 - slide) * apart + (chance.x - 0.5) * 0.25;
    float size = (0.55 + 0.35 * chance.z) * (0.85 + 0.2 * has_thicket);
    float grows = step(chance.w, 0.42 + 0.3 * has_thicket + 0.2 * density)
        * step(wood.way + 0.75, abs(middle))
        * step(0.9, abs(middle - stream_x(p.z)) + 9.0 * (1.0 - has_stream));
    vec2 d = vec2(p.x - middle, p.y - ground_height(middle) + 0.04) / size;
    d.x -= (0.06 * sin(1.6 * time + 6.28 * chance.y + row) * (0.4 + wind + bass)) * d.y;
    d.y += 0.8 * d.x * d.x;
    float far = length(d);
    float angle = atan(d.x, d.y) * 3.7 + chance.y;
    float turn = fract(angle) - 0.5;
    float frond = share_of(stir(knot(floor(angle), 31.0 * cell + row)));
    float extent = 0.6 + 0.4 * frond;
    float aside = abs(turn) / 3.7 * far;
    float w = pixel / size;
    // Leaflets point outwards; too small to see, they are half there.
    float tooth = abs(fract(far * 13.0 - aside * 9.0) * 2.0 - 1.0);
    float leaflets = mix(0.35 + 0.65 * tooth, 0.7, saturate(w * 22.0 - 0.7));
    float wide = 0.17 * (1.0 - far / extent) * smoothstep(0.0, 0.45, far) * leaflets + 0.006;
    float cover = saturate((wide - aside) / w + 0.5) * saturate((extent - far) / w + 0.5)
        * smoothstep(0.0, 0.12, d.y) * step(abs(angle - chance.y), 5.3);
    return vec2(cover * grows, 0.25 + 0.75 * far * (0.5 + 0.5 * frond) * (0.7 + 0.3 * tooth));
}

// Grass: tufts of blades that lean with the wind. x: cover, y: how bright.
vec2 grass(vec3 p, float row, float pixel) {
    float tuft = smoothstep(0.2, 0.85, weave1(p.x * 1.3, row + 300.0));
    float h = p.y - ground_height(p.x) + 0.05;
    float gust = sin(1.3 * time + 0.5 * p.x + 0.9 * row) * (0.25 + wind + 0.7 * heave);
    float x = p.x - 0.4 * h * h * gust - 0.35 * h * (tuft - 0.4);
    float apart = 0.036;
    float number = floor(x / apart);
    vec4 chance = chances(number, row + 500.0);
    float tall = (0.12 + 0.62 * tuft) * (0.3 + 0.7 * chance.x)
        * smoothstep(wood.way + 0.1, wood.way + 1.0, abs(p.x) + (wood.way > 0.0 ? 0.0 : 1.0));
    float up = h / max(tall, 0.02);
    float blade = (1.0 - up) * 0.75;
    float aside = abs(fract(x / apart) - 0.5 + (chance.y - 0.5) * 0.7 * saturate(up));
    float w = pixel / apart;
    float cover = mix(saturate((blade - aside) / max(w, 0.06) + 0.5), saturate(1.6 * blade),
        saturate(w - 0.5)) * step(up, 1.0);
    // No hard foot: blades come out of the ground's own green.
    cover *= smoothstep(0.02, 0.2, h);
    return vec2(cover, saturate(0.25 + h / 0.55) * (0.5 + 0.5 * chance.z));
}
