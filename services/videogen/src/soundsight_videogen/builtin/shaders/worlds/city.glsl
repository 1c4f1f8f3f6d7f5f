#version 330
// A street canyon in a city of blocks: boxes on a grid, walked cell by cell (Amanatides and Woo),
// with shops, neon, lamps and traffic, wet asphalt that mirrors them, and haze.
#include "common.glsl"
#include "weather.glsl"

const vec2 LOT = vec2(20.0, 14.0);   // a building's ground: across and along the avenue
const float KERB = 7.0;
const float WALL = 10.0;             // the avenue's house fronts
const float TALLEST = 96.0;
const float SHOP_HEIGHT = 4.3;
const float LAMP_SPACING = 19.0;
const float LAMP_HEIGHT = 6.3;
const float LAMP_X = 6.1;
const float LANE_X = 4.3;
const float CAR_SPACING = 24.0;

const int SKY = 0;
const int GROUND = 1;
const int HOUSE = 2;
const int SIGN = 3;
const int CAR = 4;

struct Box { vec3 low, high; };

struct Hit {
    int kind;
    float t;
    vec3 normal;
    vec2 lot;
    Box box;
};

vec2 place_cell(vec2 cell) { return cell + floor(place.xy * 311.0); }

bool is_avenue(vec2 lot) { return mod(lot.x, 5.0) == 0.0; }

bool is_street(vec2 lot) { return mod(lot.y + floor(place.z * 7.0), 7.0) == 0.0; }

// ---- geometry ----------------------------------------------------------------------------------

// Heights of a lot's house: x the base, y the tower on it (0: none).
vec2 house_heights(vec2 lot, vec4 chance) {
    float row = abs(lot.x);
    float grow = 0.55 + 0.75 * density;
    float base = row < 1.5 ? 10.0 + 17.0 * chance.x * chance.x : 12.0 + 26.0 * chance.x;
    float tower = step(row < 1.5 ? 0.55 : 0.4, chance.y) * (24.0 + 66.0 * chance.z * chance.z);
    return min(vec2(base, tower > base + 5.0 ? tower : 0.0) * grow, TALLEST);
}

// Where the ray enters a box; FAR when it does not.
float enter_box(vec3 origin, vec3 inverse_ray, Box box, inout vec3 normal) {
    vec3 a = (box.low - origin) * inverse_ray, b = (box.high - origin) * inverse_ray;
    vec3 near = min(a, b), far = max(a, b);
    float enter = max(near.x, max(near.y, near.z));
    float leave = min(far.x, min(far.y, far.z));
    if (enter > leave || enter < 0.0) return FAR;
    normal = -sign(inverse_ray) * step(near.yzx, near.xyz) * step(near.zxy, near.xyz);
    return enter;
}

void keep_nearest(inout Hit hit, float t, vec3 normal, int kind, vec2 lot, Box box) {
    if (t < hit.t) {
        hit.t = t;
        hit.normal = normal;
        hit.kind = kind;
        hit.lot = lot;
        hit.box = box;
    }
}

void enter_house(vec3 origin, vec3 inverse_ray, vec2 lot, inout Hit hit) {
    vec4 chance = hash24(place_cell(lot));
    vec2 heights = house_heights(lot, chance);
    vec2 low = vec2(lot.x - 0.5, lot.y) * LOT, high = low + LOT;
    float alley = chance.w > 0.8 ? 0.9 : 0.02;
    low.y += alley;
    high.y -= alley;
    vec3 normal = vec3(0.0);
    Box base = Box(vec3(low.x, 0.0, low.y), vec3(high.x, heights.x, high.y));
    keep_nearest(hit, enter_box(origin, inverse_ray, base, normal), normal, HOUSE, lot, base);
    vec2 inset = vec2(2.2 + 3.0 * chance.w, 1.2 + 2.0 * chance.z);
    // A low hut for lifts and tanks stands on roofs that carry no tower.
    vec2 hut = vec2(6.0 + 2.0 * chance.z, 4.5);
    inset = heights.y > 0.0 ? inset : hut;
    float top = heights.y > 0.0 ? heights.y : heights.x + 2.6;
    Box tower = Box(vec3(low.x + inset.x, heights.x, low.y + inset.y),
                    vec3(high.x - inset.x, top, high.y - inset.y));
    keep_nearest(hit, enter_box(origin, inverse_ray, tower, normal), normal, HOUSE, lot, tower);
}

// Signs that stand out from the fronts over the pavement, so that they face along the avenue.
void enter_signs(vec3 origin, vec3 inverse_ray, float row, inout Hit hit) {
    for (float side = -1.0; side < 2.0; side += 2.0) {
        vec4 chance = hash24(place_cell(vec2(side * 7.0, row)) + 40.0);
        if (chance.x > 0.35 + 0.5 * density || is_street(vec2(1.0, row))) continue;
        float house = house_heights(vec2(side, row), hash24(place_cell(vec2(side, row)))).x;
        float foot = 4.7 + 2.5 * chance.y;
        float head = min(foot + 2.6 + 6.5 * chance.z, house - 0.6);
        float z = (row + 0.2 + 0.6 * chance.w) * LOT.y;
        float reach = 1.1 + 0.5 * chance.w;
        float inner = side * (WALL - 0.3), outer = side * (WALL - 0.3 - reach);
        Box sign_box = Box(vec3(min(inner, outer), foot, z - 0.13),
                           vec3(max(inner, outer), head, z + 0.13));
        vec3 normal = vec3(0.0);
        float t = enter_box(origin, inverse_ray, sign_box, normal);
        keep_nearest(hit, t, normal, SIGN, vec2(side, row), sign_box);
    }
}

// The car that stands in a slot of a lane now; x is its middle along the avenue, y whether it is
// there at all. `way` is 1 for the lane that drives with the camera.
vec2 car_in_slot(float slot, float way) {
    vec4 chance = hash24(place_cell(vec2(slot, 90.0 + way)));
    float there = step(chance.x, 0.2 + 0.65 * density);
    return vec2((slot + 0.2 + 0.6 * chance.y) * CAR_SPACING, there);
}

float lane_drift(float way) { return way * time * (way > 0.0 ? 9.5 : 7.5); }

// A car's cabin: a box whose front and back lean inwards.
float enter_cabin(vec3 origin, vec3 ray, vec3 inverse_ray, Box box, float way, inout vec3 normal) {
    vec3 a = (box.low - origin) * inverse_ray, b = (box.high - origin) * inverse_ray;
    vec3 near = min(a, b), far = max(a, b);
    vec3 side = -sign(inverse_ray) * step(near.yzx, near.xyz) * step(near.zxy, near.xyz);
    float enter = max(near.x, max(near.y, near.z)), leave = min(far.x, min(far.y, far.z));
    for (float end = -1.0; end < 2.0; end += 2.0) {
        vec3 lean = normalize(vec3(0.0, end * way > 0.0 ? 1.2 : 1.0, end));
        vec3 corner = vec3(0.0, box.low.y, end > 0.0 ? box.high.z : box.low.z);
        float speed = dot(ray, lean), t = dot(corner - origin, lean) / speed;
        side = speed < 0.0 && t > enter ? lean : side;
        enter = speed < 0.0 ? max(enter, t) : enter;
        leave = speed > 0.0 ? min(leave, t) : leave;
    }
    if (enter > leave || enter < 0.0) return FAR;
    normal = side;
    return enter;
}

void enter_cars(vec3 origin, vec3 ray, vec3 inverse_ray, inout Hit hit) {
    for (float way = -1.0; way < 2.0; way += 2.0) {
        // Only where the ray is inside the lane and low can it meet a car: at most two slots.
        vec2 a = (vec2(way * LANE_X - 0.95, 0.2) - origin.xy) * inverse_ray.xy;
        vec2 b = (vec2(way * LANE_X + 0.95, 1.5) - origin.xy) * inverse_ray.xy;
        vec2 near = min(a, b), far = max(a, b);
        float enter = max(max(near.x, near.y), 0.0), leave = min(far.x, far.y);
        if (enter > leave || enter > hit.t) continue;
        float drift = lane_drift(way);
        float slot = floor((origin.z + ray.z * enter - drift) / CAR_SPACING);
        for (int i = 0; i < 2; i++) {
            vec2 car = car_in_slot(slot + float(i) * sign(ray.z), way);
            if (car.y < 0.5) continue;
            float z = car.x + drift;
            vec3 normal = vec3(0.0);
            Box body = Box(vec3(way * LANE_X - 0.92, 0.24, z - 2.2),
                           vec3(way * LANE_X + 0.92, 0.82, z + 2.2));
            float t = enter_box(origin, inverse_ray, body, normal);
            keep_nearest(hit, t, normal, CAR, vec2(way, slot), body);
            Box cabin = Box(vec3(way * LANE_X - 0.74, 0.82, z - 1.9),
                            vec3(way * LANE_X + 0.74, 1.38, z + 1.3));
            t = enter_cabin(origin, ray, inverse_ray, cabin, way, normal);
            keep_nearest(hit, t, normal, CAR, vec2(way, slot), cabin);
        }
    }
}

Hit trace(vec3 origin, vec3 ray, int steps) {
    // A ray exactly along an axis would divide by zero.
    ray += vec3(1e-5) * (1.0 - step(vec3(1e-5), abs(ray)));
    vec3 inverse_ray = 1.0 / ray;
    Hit hit = Hit(SKY, FAR, vec3(0.0, 1.0, 0.0), vec2(0.0), Box(vec3(0.0), vec3(0.0)));
    float ground = ray.y < 0.0 ? -origin.y * inverse_ray.y : FAR;
    // Above all roofs there is nothing to walk through.
    float start = origin.y > TALLEST ? (TALLEST - origin.y) * inverse_ray.y : 0.0;
    if (start < 0.0) return hit;
    vec2 p = (origin.xz + ray.xz * start) / LOT + vec2(0.5, 0.0);
    vec2 lot = floor(p);
    vec2 way = sign(ray.xz);
    vec2 per_lot = abs(LOT * inverse_ray.xz);
    vec2 next = start + (way * (lot - p) + 0.5 + 0.5 * way) * per_lot;
    float entered = start;
    for (int i = 0; i < steps; i++) {
        if (entered > ground || origin.y + ray.y * entered > TALLEST) break;
        if (is_avenue(lot) || is_street(lot)) {
            if (lot.x == 0.0) enter_signs(origin, inverse_ray, lot.y, hit);
        } else {
            enter_house(origin, inverse_ray, lot, hit);
        }
        entered = min(next.x, next.y);
        if (hit.t < entered) break;
        if (next.x < next.y) {
            next.x += per_lot.x;
            lot.x += way.x;
        } else {
            next.y += per_lot.y;
            lot.y += way.y;
        }
    }
    if (ground < hit.t) {
        hit.t = ground;
        hit.kind = GROUND;
        hit.normal = vec3(0.0, 1.0, 0.0);
    }
#if defined(BELOW_HORIZON) || defined(WITH_LOW_CAMERA)
    enter_cars(origin, ray, inverse_ray, hit);
#endif
    return hit;
}

// ---- light -------------------------------------------------------------------------------------

float lights_on() { return 0.12 + 0.88 * smoothstep(0.0, 0.5, night + 0.25 * cloud); }

float neon_level() { return lights_on() * (0.62 + 0.4 * energy + 0.22 * beat); }

// Light in the air: the glow over the street's far end, and what the sky gives.
vec3 haze(vec3 ray) {
    float low = exp(-4.0 * (sqrt(square(ray.y) + 0.006) - 0.06));
    vec3 sky = mix(zenith_colour, mix(fog_colour, horizon_colour, 0.5), low);
    vec3 glow = mix(accent_a, accent_b, 0.5 + 0.5 * sin(2.6 * ray.x + 6.0 * place.w));
    float ahead = ray.z > 0.0 ? exp(-6.0 * dot(ray.xy, ray.xy)) : 0.0;
    float level = (0.35 + 0.65 * night) * lights_on() * (0.8 + 0.35 * energy);
    sky += level * (glow * 0.05 * low + accent_a * 0.2 * ahead);
    float sun = max(dot(ray, sun_direction), 0.0);
    sky += sun_colour * (1.0 - night) * (0.25 * pow(sun, 9.0) + 0.5 * pow(sun, 90.0));
    return sky;
}

vec3 sky_light(vec3 ray) {
    vec3 light = haze(ray);
    vec2 p = ray.xz / (abs(ray.y) + 0.18);
    float veil = fbm(p * vec2(1.1, 1.6) + vec2(0.012 * time, 11.0 * place.x), 3);
    float cover = smoothstep(0.75 - 0.5 * cloud, 1.0 - 0.35 * cloud, veil + 0.18);
    vec3 lit = mix(zenith_colour, horizon_colour, 0.35) * 1.25
        + night * lights_on() * 0.035 * mix(accent_a, accent_b, veil);
    light = mix(light, lit, 0.75 * cover * smoothstep(0.0, 0.25, ray.y));
#ifdef WITH_STARS
    light += light_colour * stars(ray) * night * (1.0 - cover) * 0.9;
#endif
    float disc = dot(ray, sun_direction);
    float moon = smoothstep(0.99925, 0.9995, disc) * night + smoothstep(0.9996, 0.9998, disc)
        * (1.0 - night) * 3.0;
    light += mix(light_colour, sun_colour, 0.5) * moon * (1.0 - 0.9 * cover) * (1.0 - storm);
    return light;
}

// Fog lies low: from a roof one sees farther than in the street.
float fog_share(float t) {
    float thick = (0.0042 + 0.019 * fog * fog) / (1.0 + 0.02 * max(camera_position.y - 10.0, 0.0));
    return 1.0 - exp(-t * thick);
}

// Pools of lamp light on the ground or on fronts near it.
float lamp_pools(vec3 p) {
    float z = (fract(p.z / LAMP_SPACING) - 0.5) * LAMP_SPACING;
    float x = abs(p.x) - LAMP_X;
    float d = x * x + z * z + square(LAMP_HEIGHT - p.y) * 0.5;
    return lights_on() * 26.0 / square(d + 9.0);
}

vec3 lamp_colour() { return mix(vec3(1.0, 0.62, 0.3), light_colour, 0.45); }

// Colour of the shops of a lot at the avenue.
vec3 shop_colour(vec2 lot) { return accent(hash21(place_cell(lot) * 1.7 + 3.0)); }

// ---- fronts ------------------------------------------------------------------------------------

// Light of a window's room; `inside` is where in the window, 0 to 1.
vec3 room(float chance, vec2 inside, float level) {
    vec3 lamp = mix(vec3(1.0, 0.6, 0.27), light_colour, 0.25);
    vec3 tube = mix(vec3(0.6, 0.8, 1.0), accent_b, 0.3);
    vec3 colour = fract(chance * 7.3) < 0.7 ? lamp : (fract(chance * 13.7) < 0.6 ? tube : accent_c);
    float ceiling = 0.45 + 0.75 * inside.y;
    float blind = fract(chance * 29.3) < 0.4 && inside.y > fract(chance * 3.1) ? 0.45 : 1.0;
    float curtain = 1.0 - 0.55 * smoothstep(0.3, 0.5, abs(inside.x - 0.5)) * step(0.5, fract(chance * 5.9));
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
    float coat = 0.12 + 0.1 * smoothstep(1.5, 0.5, body.y);
    float figure = smoothstep(0.05, -0.02, abs(body.x) - coat) * smoothstep(1.5, 1.4, body.y)
        + smoothstep(0.14, 0.1, length(body - vec2(0.0, 1.6)));
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
    gathered += mix(accent_a, accent_b, chance.w) * night * lights_on() * (0.05 + 0.16 * exp(-p.y / 14.0));
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
    float loose = chance.w > 0.86 ? 0.55 + 0.45 * smoothstep(0.25, 0.5, value_noise(vec2(time * 5.0, hit.lot.y))) : 1.0;
    vec3 board = chance.y < 0.35 ? neon * 0.75 : neon * 0.07;
    vec3 print = chance.y < 0.35 ? vec3(0.02) : letters * 2.3;
    return (mix(board, print, ink) + neon * 1.8 * frame) * neon_level() * loose * (1.0 + 0.35 * onset);
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
    float tyre = smoothstep(0.36, 0.32, length(wheel)) * (cabin ? 0.0 : step(0.5, abs(hit.normal.x)));
    float glass = cabin ? step(hit.normal.y, 0.9) * smoothstep(1.38, 1.34, p.y) : 0.0;
    float lift = 0.55 + 0.45 * saturate((p.y - 0.2) / 0.6);
    vec3 light = paint * lift * (ambient_colour * 1.2 + lamp_colour() * lamp_pools(p) * 5.0
        + sun_colour * max(dot(hit.normal, sun_direction), 0.0) * 0.8);
    light += mirror * (0.07 + 0.5 * slant * slant * slant);
    light = mix(light, mirror * (0.1 + 0.75 * slant * slant), glass);
    light *= 1.0 - 0.85 * tyre;
    return light + smoothstep(0.07, 0.0, hit.box.high.y - p.y) * mirror * 0.4 * (1.0 - tyre);
}

// ---- street ------------------------------------------------------------------------------------

// A ray from the avenue's middle meets the row of lamps on its side in one point, so only the two
// lamps and the post nearest to that point can be near the ray.
float crossing_of_row(vec3 origin, vec3 ray, float x) {
    float t = (sign(ray.x) * x - origin.x) / (abs(ray.x) < 1e-4 ? 1e-4 : ray.x);
    return t > 0.0 ? t : FAR;
}

vec3 lamp_light(vec3 origin, vec3 ray, float reach) {
    float t = crossing_of_row(origin, ray, LAMP_X);
    if (t > 400.0) return vec3(0.0);
    float nearest = floor((origin.z + ray.z * t) / LAMP_SPACING);
    float sum = 0.0;
    for (float i = 0.0; i < 2.0; i++) {
        float z = (nearest + (fract((origin.z + ray.z * t) / LAMP_SPACING) < 0.5 ? i - 0.5 : i + 0.5))
            * LAMP_SPACING;
        vec3 lamp = vec3(sign(ray.x) * LAMP_X, LAMP_HEIGHT, z) - origin;
        float along = dot(lamp, ray);
        float d2 = max(dot(lamp, lamp) - along * along, 0.0);
        float halo = square(saturate(1.0 - d2 / 6.0));
        sum += along > 0.0 && along < reach
            ? halo * (1.6 * square(0.17) / (d2 + square(0.085 + along * pixel_angle)) + 0.03 + 0.08 * fog)
                / (1.0 + 0.03 * along)
            : 0.0;
    }
    return lamp_colour() * lights_on() * (0.8 + 0.2 * beat) * sum;
}

// Share of the pixel that a lamp post covers.
float post_cover(vec3 origin, vec3 ray, float reach) {
    float t = crossing_of_row(origin, ray, LAMP_X + 1.3);
    if (t > reach) return 0.0;
    vec3 p = origin + ray * t;
    float w = t * pixel_angle;
    float aside = abs(fract(p.z / LAMP_SPACING) - 0.5) * LAMP_SPACING
        * abs(ray.x) / max(length(ray.xz), 1e-3);
    return saturate((0.075 - aside) / w + 0.5) * min(1.0, 0.15 / w)
        * soft_box(p.y, 0.0, LAMP_HEIGHT + 0.3, w);
}

// Head and tail lights of the cars in front of a point.
vec3 car_lights(vec3 origin, vec3 ray, float reach) {
    vec3 light = vec3(0.0);
    float way = ray.z < 0.0 ? -1.0 : 1.0;
    for (float lane = -1.0; lane < 2.0; lane += 2.0) {
        float drift = lane_drift(lane);
        float slot = floor((origin.z - drift) / CAR_SPACING);
        // Seen from behind a car shows its tail lights, from the front its head lights.
        bool tail = lane * way > 0.0;
        vec3 colour = tail ? vec3(1.5, 0.08, 0.05)
                           : 2.0 * mix(vec3(1.0, 0.93, 0.8), light_colour, 0.3);
        float size = tail ? 0.1 : 0.13;
        for (int i = 0; i < 4; i++) {
            vec2 car = car_in_slot(slot + way * float(i), lane);
            vec3 lamp = vec3(lane * LANE_X, 0.66, car.x + drift - way * 2.25) - origin;
            float along = dot(lamp, ray);
            vec3 off = lamp - ray * along;
            off.x = abs(off.x) - 0.66;
            float d2 = dot(off, off);
            float halo = square(saturate(1.0 - d2 / 1.5));
            float shine = halo * (square(size) / (d2 + square(size * 0.5 + along * pixel_angle)) + 0.04)
                / (1.0 + 0.03 * along);
            light += along > 0.5 && along < reach + 0.6 ? colour * shine * car.y : vec3(0.0);
        }
    }
    return light * lights_on();
}

// Unevenness of the ground that mirrors: slow swells of water, rings of drops.
vec2 water_slope(vec2 p, float puddle, float foot) {
    vec2 slow = p * vec2(1.6, 0.9), quick = p * vec2(6.1, 3.7);
    vec2 slope = vec2(value_noise(slow + vec2(0.0, 0.35 * time)),
                      value_noise(slow + vec2(31.0, -0.3 * time))) - 0.5;
    slope *= 0.07 + 0.06 * heave;
    // Between the puddles the asphalt is only damp: its image is broken up.
    slope += (vec2(value_noise(quick + vec2(0.5 * time, 0.0)), value_noise(quick.yx + 17.0)) - 0.5)
        * vec2(0.5, 1.0) * mix(0.16, 0.03, puddle) / (1.0 + square(14.0 * foot));
    vec2 q = p * 1.5;
    vec2 cell = floor(q);
    vec2 chance = hash22(cell);
    float age = fract(1.1 * time + chance.x);
    vec2 d = fract(q) - 0.3 - 0.4 * chance;
    float r = length(d) - 0.42 * age;
    float ring = sin(46.0 * r) * exp(-20.0 * abs(r)) * (1.0 - age) * rain;
    slope += 0.16 * puddle * ring * d / (length(d) + 0.05);
    return slope / (1.0 + 5.0 * foot);
}

// Metres from the middle of the nearest cross street.
float from_cross_street(float z) {
    float period = 7.0 * LOT.y;
    return abs(mod(z + (floor(place.z * 7.0) - 0.5) * LOT.y + 0.5 * period, period) - 0.5 * period);
}

// Metres into the pavement from its kerb, negative on the road; corners are round.
float from_kerb(vec3 p) {
    vec2 d = vec2(abs(p.x) - KERB, from_cross_street(p.z) - 4.2);
    const float ROUND = 2.2;
    return min(d.x, d.y) < ROUND && max(d.x, d.y) < ROUND
        ? ROUND - length(ROUND - d) : min(d.x, d.y);
}

// The dry part of the ground: asphalt, kerbs, markings. Returns its colour under white light.
vec3 pavement(vec3 p, float foot) {
    float kerb = from_kerb(p), cross_road = from_cross_street(p.z);
    float grain = 0.8 + 0.4 * value_noise(p.xz * 5.0) / (1.0 + 20.0 * foot);
    vec3 colour = vec3(0.045) * grain * (0.75 + 0.5 * fbm(p.xz * 0.35, 3));
    float slab = 1.0 - 0.25 * filtered_pulse(p.z / 1.5, 0.0, 0.04, foot / 1.5);
    colour = mix(colour, vec3(0.085) * slab * grain, smoothstep(-foot, foot, kerb));
    colour += 0.1 * soft_box(kerb, -0.12, 0.06, foot);
    float x = abs(p.x);
    float stop = smoothstep(8.8, 9.0, cross_road);
    float dash = filtered_pulse(p.z / 7.0, 0.0, 0.42, foot * 3.0 / 7.0);
    float paint = stop * (soft_box(x, 0.09, 0.22, foot) * 0.9
        + soft_box(x, KERB - 1.4, KERB - 1.28, foot) * dash);
    paint += soft_box(cross_road, 5.2, 8.0, foot) * filtered_pulse(p.x / 1.3, 0.0, 0.5, foot / 1.3)
        * step(x, KERB);
    float worn = 0.55 + 0.45 * value_noise(p.xz * 2.2);
    return mix(colour, vec3(0.42), saturate(paint) * worn * 0.8);
}

vec3 ground_light(vec3 p, vec3 ray, float t, out float mirror_share, out vec3 mirror_ray) {
    float foot = t * pixel_angle * 1.5;
    vec3 base = pavement(p, foot);
    float puddle = wet * smoothstep(0.36, 0.6, fbm(p.xz * vec2(0.34, 0.2) + 9.0 * place.zw, 3));
    float cover = snow * (0.35 + 0.5 * smoothstep(KERB - 0.5, KERB + 0.5, abs(p.x)));
    base = mix(base * (1.0 - 0.45 * wet), vec3(0.72), cover);
    vec3 gathered = ambient_colour * 0.7 + lamp_colour() * lamp_pools(p) * 9.0;
    float near_front = exp(-max(WALL - abs(p.x), 0.0) / 2.6);
    vec2 front = vec2(sign(p.x), floor(p.z / LOT.y - 0.5));
    float across = fract(p.z / LOT.y - 0.5);
    vec3 shop = mix(shop_colour(front), shop_colour(front + vec2(0.0, 1.0)), smoothstep(0.3, 0.7, across));
    gathered += shop * near_front * 2.2 * neon_level() * (0.3 + 0.7 * smoothstep(5.0, 9.0, from_cross_street(p.z)));
    gathered += sun_colour * sun_reaches(p, vec3(0.0, 1.0, 0.0)) * 1.3;
    vec2 slope = water_slope(p.xz, puddle, foot);
    vec3 normal = normalize(vec3(slope.x, 1.0, slope.y * 1.6));
    mirror_ray = reflect(ray, normal);
    mirror_ray.y = abs(mirror_ray.y) + 0.002;
    mirror_ray = normalize(mirror_ray);
    float fresnel = 0.05 + 0.95 * pow(1.0 - saturate(-ray.y), 4.0);
    float gloss = mix(0.55, 1.0, puddle) * wet * (1.0 - cover);
    mirror_share = saturate(gloss * (0.3 + 0.7 * fresnel)) * 0.92;
    return base * gathered;
}

#if defined(BELOW_HORIZON) && defined(WITH_WET)
const int BOUNCES = 2;
#else
const int BOUNCES = 1;
#endif

void main() {
    vec3 origin = camera_position, ray = view_ray();
    vec3 view = ray;
    vec3 light = vec3(0.0);
    float share = 1.0, travelled = 0.0, thing = 0.0;
    // The second round follows the mirror image in wet ground.
    for (int bounce = 0; bounce < BOUNCES; bounce++) {
        Hit hit = trace(origin, ray, bounce == 0 ? 46 : 18);
        if (bounce == 0) {
            // Numbers far enough apart for lots, tiers, sides and kinds of things.
            thing = float(hit.kind) * 9.0 + 3.0 * dot(hit.normal, vec3(1.0, 5.0, 3.0))
                + 40.0 * hash21(hit.lot + hit.box.low.y);
        }
        float t = travelled + hit.t;
        vec3 p = origin + ray * hit.t;
        vec3 seen = vec3(0.0);
        float mirror = 0.0;
        vec3 next_ray = ray;
        if (hit.kind == HOUSE) seen = house_light(p, ray, hit, t);
        if (hit.kind == SIGN) seen = sign_light(p, hit, t);
        if (hit.kind == CAR) seen = car_light(p, ray, hit);
#if defined(ABOVE_HORIZON) || defined(WITH_WET)
        if (hit.kind == SKY) seen = sky_light(ray);
#endif
#ifdef BELOW_HORIZON
        if (hit.kind == GROUND) seen = ground_light(p, ray, t, mirror, next_ray);
#endif
        float veiled = hit.kind == SKY ? 0.0 : fog_share(t);
        float blocked = post_cover(origin, ray, hit.t);
        vec3 lamps = lamp_light(origin, ray, hit.t);
#if defined(BELOW_HORIZON) || defined(WITH_LOW_CAMERA)
        lamps += car_lights(origin, ray, hit.t);
#endif
        vec3 post = lamp_colour() * 0.02 + ambient_colour * 0.05;
        seen = mix(seen * (1.0 - mirror), post, blocked);
        light += share * (mix(seen, haze(ray), veiled) + lamps);
        share *= mirror * (1.0 - veiled) * (1.0 - blocked);
        if (share < 0.02) break;
        origin = p + vec3(0.0, 0.02, 0.0);
        ray = next_ray;
        travelled = hit.t;
    }
#ifdef WITH_RAIN
    vec3 drop = mix(haze(view) * 1.6 + ambient_colour, light_colour * 0.35, 0.35) + accent_b * 0.06;
    light += drop * rain_streaks(view) * (0.55 + 0.5 * energy);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.25 + ambient_colour * 1.5), 0.8 * saturate(snow_flakes(view)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
