// What the abstract world's places share: which place it is, where its centre is, its colours and
// its air. Needs common.glsl.
//
// What is the same for all pixels is worked out once by `prepare`: llvmpipe moves nothing out of
// loops by itself.

const int GRID = 0, HALL = 1, POINTS = 2, TUNNEL = 3;
const int SPHERE = 0, TORUS = 1, GEM = 2, RINGS = 3, RIBBONS = 4, COLUMNS = 5, ROSE = 6;

#define has_contours place_features[0]
#define has_cells place_features[1]
#define has_crosses place_features[2]
#define has_edges place_features[3]
#define has_dust place_features[4]

const float CENTRE_Y = 5.5;
const float ROOM_HEIGHT = 13.0;
const float FARTHEST = 420.0;

const bool is_grid = KIND == GRID;
const bool is_hall = KIND == HALL;
const bool is_points = KIND == POINTS;
const bool is_tunnel = KIND == TUNNEL;
int form;
vec3 viewpoint, middle, to_centre;
float airy;             // 0 where light is drawn on dark, 1 where colour is drawn on light
float tint_scale, tint_shift;
vec3 tint_low, tint_middle, tint_high;
vec3 lamp_scale, lamp_base;
float glow_scale;
vec3 brightest;         // the whitest light there is
vec3 deep;              // what is near and unlit
vec3 far_away;          // what everything far away fades into
vec3 halo_light;        // the glow around the centre
vec3 seam_light;        // the glow where floor and ceiling meet
float thickness;        // of the air, per metre
float swell_ring, swell_across;     // heights of the floor's waves, metres
float line_swell;       // how far ribbons swing, metres
mat3 solid_turn;        // from the solid's own space into the room
float ring_twist, ring_roll, ring_sway;     // turns of the tunnel's rings, radians

vec2 squares(vec2 v) { return v * v; }

// A sine of period 1 from two parabolas, close enough for things that sway; a fifth of its cost.
float sway(float x) {
    x = fract(x) - 0.5;
    float y = x * (16.0 * abs(x) - 8.0);
    return y * (0.775 + 0.225 * abs(y));
}

vec2 sway(vec2 x) {
    x = fract(x) - 0.5;
    vec2 y = x * (16.0 * abs(x) - 8.0);
    return y * (0.775 + 0.225 * abs(y));
}

// A peak of height 1 at 0 that falls off quickly; cheaper than a bell.
float peak(float x) {
    float y = 1.0 / (1.0 + x);
    return y * y;
}

// An accent as a light: the dark ones brighter, so that none of them drops out.
vec3 vivid(vec3 colour) {
    float top = max(colour.r, max(colour.g, colour.b));
    return colour / (0.22 + 0.78 * top);
}

// The accents as one scale, 0 to 1. Calm music keeps to its middle, loud music uses all of it.
vec3 tint(float x) {
    x = x * tint_scale + tint_shift;
    return mix(mix(tint_low, tint_middle, saturate(2.2 * x - 0.1)), tint_high,
        saturate(2.6 * x - 1.6));
}

// A line's or a lamp's light: bright in the dark, a saturated ink by day.
vec3 lamp(float x) { return tint(x) * lamp_scale + lamp_base; }

// Light that is added to what is behind it; by day little of it is seen.
vec3 glow(float x) { return tint(x) * glow_scale; }

void prepare() {
    form = int(variation.x * 7.0);

    // Narrow places hold the camera near their middle.
    viewpoint = camera_position;
    if (is_hall) viewpoint.y *= 0.75;
    if (is_tunnel) {
        viewpoint.x *= 0.45;
        viewpoint.y = CENTRE_Y + 0.45 * (viewpoint.y - CENTRE_Y);
    }
    // The form comes closer, and then moves off as fast as it is approached, so that no camera
    // ever runs into it.
    middle = vec3(is_tunnel ? 0.0 : 5.0 * (variation.y - 0.5),
        (is_hall ? 4.8 : CENTRE_Y) + 0.25 * sway(0.08 * time),
        camera_position.z + 11.0 + 8.0 * exp(-camera_position.z / 40.0));
    to_centre = normalize(middle - viewpoint);

    float swell = (0.3 + 0.7 * heave + 0.15 * energy) * (0.5 + 0.5 * motion)
        * saturate(0.1 + 0.22 * viewpoint.y);
    swell_ring = swell * (0.6 + 0.25 * bass);
    swell_across = swell * 0.38;
    line_swell = 0.7 + 0.7 * heave;
    float lean = 0.5 + 0.5 * variation.w + 0.17 * time, yaw = 0.4 * time;
    float cl = cos(lean), sl = sin(lean), cy = cos(yaw), sy = sin(yaw);
    solid_turn = mat3(cy, sl * sy, -cl * sy, 0.0, cl, sl, sy, -sl * cy, cl * cy);
    ring_twist = (place.z - 0.5) * 0.9;
    ring_roll = 0.12 * time * sign(ring_twist);
    ring_sway = 0.1 + 0.25 * heave;

    airy = 1.0 - smoothstep(0.0, 0.1, night);
    tint_scale = 0.4 + 0.6 * energy;
    tint_shift = 0.5 - 0.5 * tint_scale + 0.3 * (place.w - 0.5);
    tint_low = vivid(accent_b);
    tint_middle = vivid(accent_a);
    tint_high = vivid(accent_c);
    lamp_scale = vec3(mix(mix(1.15, 1.6, night), 0.36, airy));
    lamp_base = shadow_colour * (0.3 * airy);
    glow_scale = mix(1.0, 0.4, airy);
    brightest = mix(mix(light_colour, vec3(1.0), 0.25) * mix(1.2, 1.7, night), vec3(0.95), airy);
    vec3 dark = zenith_colour * 0.7 + shadow_colour * 0.3 + tint(0.8 - 0.6 * place.w) * 0.007;
    vec3 pale = mix(zenith_colour, horizon_colour, 0.42) * 0.95;
    deep = mix(dark, pale, airy);
    dark = horizon_colour * 0.5 + tint(1.0 - place.w) * 0.03;
    pale = mix(horizon_colour * 1.2, light_colour * 0.9, 0.5);
    far_away = mix(dark, pale, airy);
    halo_light = tint(place.w) * glow_scale;
    seam_light = tint(0.2 + 0.6 * place.w) * glow_scale;
    thickness = 0.01 + 0.026 * fog * fog;
}

// The empty space in a direction, with the glow that lies around the centre.
vec3 air(vec3 ray) {
    float away = max(1.0 - dot(ray, to_centre), 0.0);
    float level = abs(ray.y);
    vec3 light = mix(far_away, deep, saturate(1.8 * level));
    float halo = peak(6.0 * away), core = square(peak(26.0 * away));
    // Floor and ceiling of the grid room meet in a seam of light; elsewhere the way ends in one.
    float seam = is_grid ? square(peak(34.0 * level)) * (0.12 + 0.88 * halo) : 0.0;
    float skirt = is_grid ? square(peak(5.0 * level)) * halo : 0.0;
    float end = is_hall || is_tunnel ? square(peak(60.0 * away)) : 0.0;
    light += halo_light * (halo * (0.06 + 0.04 * energy)
            + core * (0.14 + 0.08 * heave + 0.04 * beat))
        + seam_light * skirt * (0.16 + 0.1 * energy);
    return mix(light, brightest * (0.8 + 0.14 * beat), saturate(0.95 * seam + 0.7 * end));
}

// Share of what is far away that the air hides.
float haze(float t) { return 1.0 - exp(-t * thickness); }
