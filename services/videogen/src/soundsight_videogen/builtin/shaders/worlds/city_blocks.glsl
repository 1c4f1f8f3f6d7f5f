// What stands in the city, and where a ray meets it.

const vec2 LOT = vec2(20.0, 14.0);   // a building's ground: across and along the avenue
const float KERB = 7.0;
const float WALL = 10.0;             // the avenue's house fronts
const float TALLEST = 96.0;
const float SHOP_HEIGHT = 4.3;
const float LAMP_SPACING = 19.0;
const float LAMP_HEIGHT = 6.3;
const float LAMP_X = 6.1;
const float LANE_X = 5.2;
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
