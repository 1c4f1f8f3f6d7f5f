// Light that comes from houses, signs and cars.

// Light of a window's room; `inside` is where in the window, 0 to 1.
vec3 room(float chance, vec2 inside, float level) {
    vec3 lamp = mix(vec3(1.0, 0.6, 0.27), light_colour, 0.25);
    vec3 tube = mix(vec3(0.6, 0.8, 1.0), accent_b, 0.3);
    vec3 colour = fract(chance * 7.3) < 0.7 ? lamp : (fract(chance * 13.7) < 0.6 ? tube : accent_c);
    float ceiling = 0.45 + 0.75 * inside.y;
    float blind = fract(chance * 29.3) < 0.4 && inside.y > fract(chance * 3.1) ? 0.45 : 1.0;
    float curtain = 1.0 - 0.55 * smoothstep(0.3, 0.5, abs(inside.x - 0.5))
        * step(0.5, fract(chance * 5.9));
    return colour * ceiling * blind * curtain * (0.25 + 0.75 * fract(chance * 17.0)) * level;
}

vec3 windows(vec3 p, float across, vec2 width, Hit hit, vec4 chance, out float glass) {
    float storey = chance.z < 0.3 ? 3.2 : 3.7;
    float bay = chance.w < 0.35 ? 1.7 : (chance.w < 0.7 ? 2.4 : 3.3);
    float open = chance.w < 0.35 ? 0.56 : (chance.w < 0.7 ? 0.72 : 0.84);
    vec2 q = vec2(across / bay, (p.y - SHOP_HEIGHT) / storey);
    vec2 w = width / vec2(bay, storey);
    glass = filtered_pulse(q.x, 0.5 - 0.5 * open, 0.5 + 0.5 * open, w.x)
        * filtered_pulse(q.y, 0.24, 0.8, w.y) * step(0.0, q.y);
    vec2 cell = floor(q);
    float pick = hash21(cell + hit.lot * vec2(37.0, 17.0) + hit.normal.x * 5.0 + hit.box.low.y);
    float share = (0.2 + 0.3 * density + 0.12 * chance.x) * lights_on();
    // The bass fills the houses with light from below.
    float height = p.y / max(hit.box.high.y, 1.0);
    float filled = smoothstep(0.2, -0.2, height - 0.15 - 0.95 * bass);
    float level = 0.62 + 0.5 * filled;
    float spark = step(0.93, fract(pick * 91.7)) * onset;
    vec2 inside = vec2((fract(q.x) - 0.5) / open + 0.5, (fract(q.y) - 0.24) / 0.56);
    vec3 one = room(pick, clamp(inside, 0.0, 1.0), level + 2.2 * spark) * step(pick, share);
    vec3 all = room(0.37, vec2(0.5), level) * share * 0.8;
    float far = smoothstep(0.5, 1.3, max(w.x, w.y));
    return mix(one, all, far) * glass * (0.18 + 0.82 * lights_on()) * 1.15;
}

// Strokes that look like writing from afar: bars of a grid, some left out. 0 to 1.
float glyph(vec2 p, float name, float width) {
    float ink = 0.0;
    for (int i = 0; i < 3; i++) {
        float at = 0.2 + 0.3 * float(i);
        float a = hash11(name * 3.7 + float(i)), b = hash11(name * 5.3 + 9.0 + float(i));
        float row = soft_box(p.y, at - 0.055, at + 0.055, width)
            * soft_box(p.x, 0.12 + 0.3 * a * a, 0.88 - 0.3 * b * b, width) * step(0.28, a);
        float column = soft_box(p.x, at - 0.05, at + 0.05, width)
            * soft_box(p.y, 0.1 + 0.4 * b * b, 0.9 - 0.4 * a * a, width) * step(0.45, b);
        ink = max(ink, max(row, column));
    }
    return mix(ink, 0.42, smoothstep(0.25, 0.6, width));
}

vec3 shops(vec3 p, float across, vec2 width, vec2 lot) {
    vec3 neon = shop_colour(lot);
    vec4 chance = hash24(place_cell(lot) + 71.0);
    float unit = across / 4.6;
    float pane = filtered_pulse(unit, 0.05, 0.95, width.x / 4.6)
        * (0.3 + 0.7 * filtered_pulse(across / 1.53, 0.03, 0.97, width.x / 1.53));
    float glass = soft_box(p.y, 0.5, 3.0, width.y + 0.03);
    float open = step(0.22, hash21(vec2(floor(unit), lot.y + 3.0)));
    vec2 inside = vec2(fract(across / 1.53), saturate((p.y - 0.5) / 2.5));
    float glow = 0.35 + 0.9 * inside.y * inside.y;                       // lit from the ceiling
    float goods = 0.3 + 0.95 * value_noise(vec2(across * 2.3, p.y * 0.8) + 50.0 * chance.xy);
    goods *= 0.6 + 0.4 * filtered_pulse(p.y / 0.8, 0.1, 1.0, width.y / 0.8);
    // Someone stands in some of the windows.
    float who = hash21(vec2(floor(across / 1.53), lot.y + 19.0));
    vec2 body = vec2((inside.x - 0.3 - 0.4 * fract(who * 9.0)) * 1.53, p.y - 0.5);
    float coat = mix(0.12, 0.21, smoothstep(0.3, 1.2, body.y))
        * (1.0 - 0.5 * smoothstep(1.28, 1.44, body.y));
    float figure = smoothstep(0.04, -0.02, abs(body.x) - coat) * smoothstep(1.46, 1.4, body.y)
        + smoothstep(0.15, 0.1, length((body - vec2(0.0, 1.58)) * vec2(1.15, 0.9)));
    goods *= 1.0 - 0.8 * saturate(figure) * step(0.7, who);
    vec3 warm = mix(vec3(1.0, 0.5, 0.17), light_colour, 0.22);
    vec3 inside_light = mix(neon, warm, step(0.45, chance.z) * 0.8 + 0.1) * goods * glow;
    vec3 light = inside_light * pane * glass * mix(0.06, 1.0, open);
    // Over the panes a band with the shop's name.
    float band = soft_box(p.y, 3.2, 4.0, width.y);
    vec2 letter = vec2(across / 0.8, (p.y - 3.2) / 0.8);
    float name = glyph(vec2(fract(letter.x), letter.y), floor(letter.x) + 13.0 * lot.y,
                       max(width.x, width.y) / 0.8);
    float written = filtered_pulse(unit, 0.2, 0.8, width.x / 4.6) * open;
    light += band * (neon * 0.035 + neon * name * written * 2.3);
    // A neon tube runs along the front.
    float tube = 0.045 / max(0.045, width.y);
    light += neon * (2.6 * tube * soft_box(p.y, 4.17, 4.26, width.y)
                   + 0.2 * exp(-3.6 * abs(p.y - 4.2)) + 0.04 * exp(-0.8 * abs(p.y - 4.2)));
    return light * neon_level();
}

// A large screen on some fronts; bars that dance with the music run over a slow wash of colour.
vec3 screen(vec3 p, float across, vec2 width, Hit hit, vec4 chance) {
    if (chance.y < 0.6 || hit.box.low.y > 0.0 || hit.box.high.y < 14.5) return vec3(-1.0);
    vec2 middle = vec2((hit.lot.y + 0.5) * LOT.y, 9.9);
    vec2 d = vec2(across, p.y) - middle;
    vec2 half_size = vec2(4.4, 2.7);
    float inside = soft_box(d.x, -half_size.x, half_size.x, width.x)
        * soft_box(d.y, -half_size.y, half_size.y, width.y);
    if (inside <= 0.0) return vec3(-1.0);
    float wash = 0.5 + 0.5 * sin(0.8 * d.x + 0.9 * d.y + 0.7 * time + 9.0 * chance.x);
    vec3 light = mix(accent_b, accent_c, wash) * (0.16 + 0.2 * wash);
    float bar = floor(d.x / 0.8 + 20.0);
    float swing = 0.5 + 0.5 * sin(bar * 2.4 + time * (1.3 + hash11(bar)) * 2.0);
    float level = mix(bass, energy, hash11(bar + 3.0)) * (0.35 + 0.65 * swing) + 0.05;
    float lit = smoothstep(0.05 + width.y, -0.05 - width.y,
                           d.y + half_size.y - 2.0 * half_size.y * 0.8 * level);
    float gap = filtered_pulse(d.x / 0.8 + 20.0, 0.14, 0.86, width.x / 0.8);
    light = mix(light, mix(accent_a, light_colour, 0.25) * 1.15, lit * gap);
    return light * inside * (0.7 + 0.3 * lights_on()) + (1.0 - inside) * 0.01;
}

float sun_reaches(vec3 p, vec3 normal) {
#ifdef WITH_SUN
    float facing = max(dot(normal, sun_direction), 0.0) * (1.0 - night);
    Hit shade = trace(p + normal * 0.05, sun_direction, 9);
    return shade.kind == SKY ? facing : 0.0;
#else
    return 0.0;
#endif
}

vec3 house_light(vec3 p, vec3 ray, Hit hit, float t) {
    vec4 chance = hash24(place_cell(hit.lot) + 23.0);
    float foot = t * pixel_angle;
    vec3 wall = mix(vec3(0.2, 0.19, 0.19), mix(accent_b, light_colour, 0.6), 0.22)
        * (0.35 + 0.5 * chance.y);
    bool roof = hit.normal.y > 0.5;
    bool sideways = abs(hit.normal.x) > 0.5;
    float across = sideways ? p.z : p.x;
    float slant = max(abs(dot(ray, hit.normal)), 0.04);
    vec2 width = vec2(foot / slant, foot / max(length(ray.xz), 0.1));
    float open_sky = roof ? 0.9 : 0.25 + 0.45 * saturate(p.y / 30.0);
    vec3 gathered = ambient_colour * open_sky + lamp_colour() * lamp_pools(p) * 2.2;
    // The lit street colours the fronts from below.
    gathered += mix(accent_a, accent_b, chance.w) * night * lights_on()
        * (0.05 + 0.16 * exp(-p.y / 14.0));
    gathered += shop_colour(hit.lot) * 0.16 * exp(-p.y / 6.5) * neon_level();
    gathered += sun_colour * sun_reaches(p, hit.normal) * 1.3;
    if (roof) {
        float snowed = snow * 0.75;
        float tar = 0.55 + 0.35 * value_noise(p.xz * 0.45);
        vec3 light = mix(wall * tar * 0.6, vec3(0.75), snowed) * gathered;
        vec2 edge = min(p.xz - hit.box.low.xz, hit.box.high.xz - p.xz);
        float rim = smoothstep(0.5, 0.2, min(edge.x, edge.y));
        light += rim * wall * gathered * 0.7;
        light += accent(chance.x) * neon_level() * 0.5 * rim * step(0.72, chance.z);
        return light;
    }
    float ledge = filtered_pulse((p.y - SHOP_HEIGHT) / 3.7, 0.0, 0.1, width.y / 3.7);
    float stain = 0.8 + 0.25 * value_noise(vec2(across * 0.6, p.y * 0.22) + 30.0 * chance.zw);
    float pier = 0.82 + 0.18 * filtered_pulse(across / 4.6, 0.06, 0.94, width.x / 4.6);
    vec3 light = wall * gathered * stain * pier * (1.0 - 0.3 * ledge);
    float street_front = step(hit.box.low.y, 0.5);
    float glass = 0.0;
    vec3 lit = windows(p, across, width, hit, chance, glass);
    // Dark panes mirror the sky.
    vec3 mirror = reflect(ray, hit.normal);
    float fresnel = 0.06 + 0.5 * pow(1.0 - slant, 4.0);
    light = mix(light, haze(mirror) * fresnel + wall * 0.02, glass * 0.9) + lit;
    if (street_front > 0.5) {
        vec3 show = sideways ? screen(p, across, width, hit, chance) : vec3(-1.0);
        if (show.x >= 0.0) light = show;
        if (p.y < SHOP_HEIGHT + 1.5) {
            float ground_floor = smoothstep(SHOP_HEIGHT + width.y, SHOP_HEIGHT - width.y, p.y);
            light = mix(light, wall * gathered * 0.4, ground_floor);
            light += shops(p, across, width, hit.lot);
        }
    }
    // Some roofs carry a line of light.
    float crown = hit.box.high.y - p.y;
    float line = step(0.6, chance.x) * neon_level();
    light += accent(chance.y) * line * (1.4 * soft_box(crown, 0.1, 0.32, width.y)
        * min(1.0, 0.3 / max(width.y, 0.3)) + 0.2 * exp(-1.6 * crown));
    return light;
}

vec3 sign_light(vec3 p, Hit hit, float t) {
    vec4 chance = hash24(place_cell(vec2(hit.lot.x * 7.0, hit.lot.y)) + 77.0);
    vec3 neon = accent(chance.x);
    float width = t * pixel_angle;
    vec3 size = hit.box.high - hit.box.low;
    if (abs(hit.normal.z) < 0.5) return neon * 0.3 * neon_level();
    vec2 d = vec2(p.x - hit.box.low.x, p.y - hit.box.low.y);
    vec2 edge = min(d, size.xy - d);
    float frame = soft_box(min(edge.x, edge.y), 0.04, 0.12, width);
    float row = d.y / size.x;
    float rows = floor(size.y / size.x);
    float line = floor(row);
    vec2 cell = vec2(d.x / size.x, fract(row));
    float ink = line < rows ? glyph(cell * 1.16 - 0.08, line + hit.lot.y * 5.0 + hit.lot.x,
                                    width / size.x) : 0.0;
    vec3 letters = mix(neon, light_colour, 0.3);
    // A loose tube flickers, but only as fast as the music moves.
    float loose = chance.w > 0.86
        ? 0.55 + 0.45 * smoothstep(0.25, 0.5, value_noise(vec2(time * 5.0, hit.lot.y))) : 1.0;
    vec3 board = chance.y < 0.35 ? neon * 0.75 : neon * 0.07;
    vec3 print = chance.y < 0.35 ? vec3(0.02) : letters * 2.3;
    return (mix(board, print, ink) + neon * 1.8 * frame) * neon_level() * loose
        * (1.0 + 0.35 * onset);
}

vec3 car_light(vec3 p, vec3 ray, Hit hit) {
    float choice = hash21(hit.lot + 3.0);
    vec3 paint = mix(vec3(0.05), accent(choice), 0.1 + 0.25 * choice) * 0.6;
    bool cabin = hit.box.low.y > 0.5;
    float slant = saturate(1.0 - abs(dot(ray, hit.normal)));
    vec3 mirror = haze(reflect(ray, hit.normal));
    float middle = 0.5 * (hit.box.low.z + hit.box.high.z);
    // Wheels on the sides of the body, glass all around the cabin, a bright line along the waist.
    vec2 wheel = vec2(abs(p.z - middle) - 1.35, p.y - 0.32);
    float tyre = smoothstep(0.36, 0.32, length(wheel)) * (cabin ? 0.0
        : step(0.5, abs(hit.normal.x)));
    float glass = cabin ? step(hit.normal.y, 0.9) * smoothstep(1.38, 1.34, p.y) : 0.0;
    float lift = 0.55 + 0.45 * saturate((p.y - 0.2) / 0.6);
    vec3 light = paint * lift * (ambient_colour * 1.2 + lamp_colour() * lamp_pools(p) * 5.0
        + sun_colour * max(dot(hit.normal, sun_direction), 0.0) * 0.8);
    vec3 shine = mirror + shop_colour(vec2(hit.lot.x, floor(p.z / LOT.y))) * 0.25 * neon_level()
        * abs(hit.normal.x) + lamp_colour() * lamp_pools(p) * 1.5 * max(hit.normal.y, 0.0);
    light += shine * (0.12 + 0.6 * slant * slant * slant);
    light = mix(light, mirror * (0.1 + 0.75 * slant * slant), glass);
    light *= 1.0 - 0.85 * tyre;
    return light + smoothstep(0.07, 0.0, hit.box.high.y - p.y) * mirror * 0.4 * (1.0 - tyre);
}
