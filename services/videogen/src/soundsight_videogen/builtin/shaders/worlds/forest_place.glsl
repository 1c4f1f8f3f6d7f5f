// What kind of wood a place is, its ground, and the light and haze in it.
//
// The ground is the highest of three planes that run along z: a floor and two banks. The world is
// bent: what lies ahead is moved sideways by the square of its distance, so that a way leads round
// a bend however far the camera goes.

#define has_stream place_features[0]
#define has_falling_leaves place_features[1]
#define has_thicket place_features[2]
#define has_giants place_features[3]
#define has_autumn place_features[4]

// Hashes of whole numbers, cheaper here than those of common.glsl (a round of Chris Wellons's
// lowbias32).
uint stir(uint h) {
    h ^= h >> 16;
    h *= 0x7feb352du;
    return h ^ (h >> 15);
}

uint knot(float x, float y) {
    return uint(int(x)) * 0x9e3779b1u + uint(int(y)) * 0x85ebca77u;
}

float share_of(uint h) { return float(int(h >> 8)) * (1.0 / 16777216.0); }

// Four numbers from 0 to 1 that belong to a cell of this place.
vec4 chances(float x, float y) {
    uint h = stir(knot(x + floor(place.z * 211.0), y + floor(place.w * 211.0)));
    uint i = stir(h * 0x846ca68bu);
    return vec4(ivec4(h >> 8, (h & 0xffffu) << 8, i >> 8, (i & 0xffffu) << 8)) * (1.0 / 16777216.0);
}

// value_noise with whole-number hashes.
float weave(vec2 p) {
    vec2 cell = floor(p), f = p - cell;
    f = f * f * (3.0 - 2.0 * f);
    uint h = knot(cell.x, cell.y);
    return mix(
        mix(share_of(stir(h)), share_of(stir(h + 0x9e3779b1u)), f.x),
        mix(share_of(stir(h + 0x85ebca77u)), share_of(stir(h + 0x9e3779b1u + 0x85ebca77u)), f.x),
        f.y);
}

// The same along a line; `row` tells lines apart.
float weave1(float x, float row) {
    float cell = floor(x), f = x - cell;
    f = f * f * (3.0 - 2.0 * f);
    uint h = knot(cell, row);
    return mix(share_of(stir(h)), share_of(stir(h + 0x9e3779b1u)), f);
}

// Turns a pattern, so that no two of its layers share their axes.
const mat2 ASKEW = mat2(0.8, 0.6, -0.6, 0.8);

const float PILLARS = 0.0, CLEARING = 1.0, HOLLOW = 2.0, BIRCHES = 3.0;
const float ROOF = 15.0;          // where shafts of light come through the leaves, metres
const float OVER_TREES = 20.0;    // the camera is either well below or well above this

const float kind = float(KIND);

struct Wood {
    float apart;         // between trunks of a row, metres
    float filled;        // share of them that stand
    vec2 radius;         // thinnest and thickest trunk
    vec2 open;           // free of trees: from and to, x
    float crown;         // height of the lowest leaves
    float leaves;        // how dense they are
    float tilt;          // slope of the floor, x
    vec2 bank;           // slopes of the left and right bank
    vec2 foot;           // where they begin, x
    float bend;          // sideways metres per metre ahead squared
    float side;          // 1 or -1: which side is which
    float way;           // half the width of the path, 0: none
};

Wood wood;
vec3 sun;                // never so low that the trees would hide it all
vec3 bark;
vec3 leaf;
vec3 moss;
float dawn;              // 1 in the cold mist before the day, 0 at other hours
float bending;           // how far trees bend now, per square metre of height

void describe_wood() {
    float side = place.y > 0.5 ? 1.0 : -1.0;
    float full = 0.55 + 0.35 * density;
    float curve = (0.6 + 0.4 * place.z) * (place.w > 0.5 ? 1.0 : -1.0);
    wood = Wood(4.6, full, vec2(0.3, 0.62), vec2(-3.3, 3.3), 11.0, 0.5, 0.0, vec2(0.03),
        vec2(-6.0, 6.0), 0.0015 * curve, side, 0.9);
    if (kind == CLEARING) {
        wood = Wood(3.2, min(full + 0.12, 0.95), vec2(0.16, 0.48),
            side > 0.0 ? vec2(-4.6, 17.0) : vec2(-17.0, 4.6), 4.6, 0.62, 0.0, vec2(0.05),
            vec2(-9.0, 9.0), -0.011 * side, side, 0.0);
    }
    if (kind == HOLLOW) {
        wood = Wood(3.4, full, vec2(0.2, 0.5), vec2(-3.3, 3.3), 6.4, 0.58, 0.0,
            vec2(0.34 + 0.14 * place.z, 0.48 - 0.14 * place.z), vec2(-1.7, 1.7),
            0.01 * curve, side, 1.15);
    }
    if (kind == BIRCHES) {
        wood = Wood(2.5, min(full + 0.1, 0.95), vec2(0.09, 0.19), vec2(-3.2, 3.2), 6.8, 0.44,
            0.2 * side, side > 0.0 ? vec2(0.0, 0.42) : vec2(0.42, 0.0),
            vec2(-5.0, 5.0), 0.004 * curve, side, 0.7);
    }
    // A long lens sees little of what stands aside: trees come nearer to what it looks at.
    float longing = smoothstep(1.8, 3.2, focal);
    wood.open *= 1.0 - vec2(0.25, 0.25) * longing;
    wood.filled = mix(wood.filled, 0.95, longing);
    wood.radius.y *= 1.0 + 0.5 * has_giants;
    sun = normalize(vec3(sun_direction.x, 0.2 + 0.75 * sun_direction.y, sun_direction.z));
    dawn = smoothstep(0.0, 0.1, night) * smoothstep(0.5, 0.2, night);
    float gust = 0.5 + 0.5 * sin(0.31 * time);
    bending = 0.0006 + 0.003 * wind * gust + 0.003 * storm + 0.004 * heave * (0.3 + motion);
    bark = mix(vec3(0.1, 0.075, 0.06), shadow_colour, 0.5) * (1.0 - 0.35 * wet);
    leaf = mix(vec3(0.16, 0.27, 0.07), accent_b, 0.4);
    leaf = mix(leaf, mix(vec3(0.42, 0.2, 0.05), accent_a, 0.5), 0.75 * has_autumn);
    moss = mix(vec3(0.1, 0.13, 0.05), mix(accent_b, accent_c, place.w), 0.3);
}

float ground_height(float x) {
    return max(wood.tilt * x,
        max(wood.bank.x * (wood.foot.x - x), wood.bank.y * (x - wood.foot.y)));
}

// Where the ray meets a plane y = slope * (x - foot) of the bent world; FAR when it does not.
float meet_slope(vec3 origin, vec3 ray, float slope, float foot) {
    float a = slope * wood.bend * ray.z * ray.z;
    float b = ray.y - slope * ray.x;
    float c = max(origin.y - slope * (origin.x - foot), 1e-3);
    float inside = b * b - 4.0 * a * c;
    float below = sqrt(max(inside, 0.0)) - b;
    return inside < 0.0 || below < 1e-4 ? FAR : 2.0 * c / below;
}

float meet_ground(vec3 origin, vec3 ray) {
    return min(meet_slope(origin, ray, wood.tilt, 0.0),
        min(meet_slope(origin, ray, -wood.bank.x, wood.foot.x),
            meet_slope(origin, ray, wood.bank.y, wood.foot.y)));
}

// A point of the ray in the bent world.
vec3 bent(vec3 origin, vec3 ray, float t) {
    vec3 p = origin + ray * t;
    p.x -= wood.bend * square(p.z - origin.z);
    return p;
}

// ---- light and haze ----------------------------------------------------------------------------

// A moon behind torn clouds: what light there is in a storm at night stands behind the trees.
vec3 storm_glow(vec3 ray) {
    float toward = saturate(dot(ray, normalize(vec3(sun.x, 0.12, sun.z))));
    return (0.17 * light_colour + 1.1 * horizon_colour) * night * storm
        * square(square(square(toward))) * (0.75 + 0.3 * energy);
}

// The sky of `sky.glsl` with the wood's own sun.
vec3 open_sky(vec3 ray) {
    float up = max(ray.y, 0.0);
    float toward = max(dot(ray, sun), 0.0);
    vec3 light = mix(horizon_colour, middle_colour, smoothstep(0.0, 0.35, up));
    light = mix(light, zenith_colour, smoothstep(0.2, 0.8, up));
    float near = square(square(square(toward)));
    float nearer = square(square(square(near)));
    return light + sun_colour * (0.4 * near + 0.5 * nearer) + storm_glow(ray);
}

// The colour that everything takes on far away.
vec3 haze(vec3 ray) {
    float toward = max(dot(ray, sun), 0.0);
    float level = exp(-3.0 * abs(ray.y));
    vec3 even = mix(fog_colour, mix(middle_colour, horizon_colour, 0.5), 0.5);
    // Cooler where it is turned away from the sun.
    even = mix(even, zenith_colour * 1.8, (0.25 + 0.3 * dawn) * (1.0 - square(toward)));
    // Thick air is bright only where the light stands behind it.
    float lit = 0.22 + (0.26 + 0.3 * fog * fog * square(toward)) * level;
    // Towards the picture's edges it is darker, however long the lens.
    float core = around_light(toward);
    lit *= 1.0 - 0.55 * max(fog * fog, rain) * (1.0 - core);
    return even * lit + storm_glow(ray) + light_colour * (0.14 * night * fog * fog) * core
        + sun_colour * (0.13 * toward * square(toward) + 0.34 * square(square(square(toward)))
            * square(toward) * square(square(toward))) * (0.85 + 0.2 * energy);
}

float haze_per_metre() {
    return (0.014 + 0.01 * fog + 0.02 * fog * fog + 0.012 * rain) / lens_clearing();
}

// Metres of air that count: little within the first few, so that what is close stays dark.
float air_depth(float t) { return t * t / (t + 8.0); }

// How much of the sun comes through the leaves to a point: columns that slant from it.
float shaft(vec3 p) {
    vec2 from = p.xz + sun.xz / sun.y * (ROOF - p.y);
    float gap = weave(from * vec2(0.34, 0.05)
        + vec2(0.02 * time * (0.5 + wind), 9.0 * place.z));
    return smoothstep(0.5, 0.86, gap + 0.06 * heave) * (1.0 - 0.7 * storm) * (1.0 - 0.4 * rain);
}

// How much thicker the air is at a point: mist near the ground that swells with the bass.
float mist(vec3 p, float ground, float row) {
    float drift = weave1(p.x * 0.13 - (0.1 + 0.05 * sin(row)) * time, row);
    return exp(-max(p.y - ground, 0.0) * (0.9 - 0.35 * heave - 0.25 * dawn))
        * (0.25 + 0.9 * drift) * (1.0 + 0.8 * dawn);
}
