// What every world gets and may use. Lengths in metres, colours linear, y up, z forward.
//
// A picture is painted in two parts, with ABOVE_HORIZON or BELOW_HORIZON defined. WITH_SUN,
// WITH_STARS, WITH_RAIN, WITH_SNOW and WITH_WET are defined for scenes that need them: llvmpipe
// runs both sides of every branch, so what is not needed must not be compiled.

uniform vec2 resolution;      // internal picture, pixels
uniform float pixel_angle;    // angle between two pixels at the picture's middle, radians
uniform vec3 camera_position;
uniform mat3 camera_basis;    // columns: right, up, forward
uniform float focal;          // in half picture heights

uniform float time;           // the world's clock, seconds: as fast as the music, still in silence
uniform float energy;         // 0 to 1, smooth
uniform float bass;           // 0 to 1, fast up, slow down
uniform float heave;          // 0 to 1, the bass as heavy things feel it: slow both ways
uniform float onset;          // 0 to 1, at once up, fast down
uniform float beat;           // 0 to 1, a soft pulse per beat

uniform vec3 shadow_colour;   // the palette by roles
uniform vec3 accent_a;
uniform vec3 accent_b;
uniform vec3 accent_c;
uniform vec3 light_colour;

uniform vec3 sun_direction;   // the moon's at night
uniform vec3 sun_colour;
uniform vec3 zenith_colour;
uniform vec3 middle_colour;
uniform vec3 horizon_colour;
uniform vec3 ambient_colour;
uniform vec3 fog_colour;
uniform float night;          // all from 0 to 1
uniform float cloud;
uniform float fog;
uniform float rain;
uniform float snow;
uniform float wet;
uniform float wind;
uniform float storm;

uniform float density;        // 0 empty, 1 crowded
uniform float motion;         // 0 still, 1 wild
uniform vec4 place;           // four numbers from 0 to 1 that name the place
uniform vec4 variation;       // four numbers from 0 to 1 that name the shot
uniform float place_features[5];  // what the place has, 0 or 1 each; the world names them

in vec2 uv;
out vec4 scene;               // light, and a number that differs by half or more between things

const float PI = 3.14159265;
const float FAR = 1e5;

// ---- noise -----------------------------------------------------------------------------------

// Hashes without sine (Dave Hoskins, "Hash without Sine"): the same on every machine.
float hash11(float p) {
    p = fract(p * 0.1031);
    p *= p + 33.33;
    p *= p + p;
    return fract(p);
}

float hash21(vec2 p) {
    vec3 q = fract(p.xyx * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

vec2 hash22(vec2 p) {
    vec3 q = fract(p.xyx * vec3(0.1031, 0.1030, 0.0973));
    q += dot(q, q.yzx + 33.33);
    return fract((q.xx + q.yz) * q.zy);
}

vec4 hash24(vec2 p) {
    vec4 q = fract(p.xyxy * vec4(0.1031, 0.1030, 0.0973, 0.1099));
    q += dot(q, q.wzxy + 33.33);
    return fract((q.xxyz + q.yzzw) * q.zywx);
}

float value_noise(vec2 p) {
    vec2 cell = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(
        mix(hash21(cell), hash21(cell + vec2(1, 0)), f.x),
        mix(hash21(cell + vec2(0, 1)), hash21(cell + vec2(1, 1)), f.x),
        f.y);
}

const mat2 OCTAVE = mat2(1.6, 1.2, -1.2, 1.6);

// Sum of octaves, about 0 to 1.
float fbm(vec2 p, int octaves) {
    float amplitude = 0.5, sum = 0.0;
    for (int i = 0; i < octaves; i++) {
        sum += amplitude * value_noise(p);
        p = OCTAVE * p + 7.3;
        amplitude *= 0.5;
    }
    return sum;
}

// ---- filtered patterns -------------------------------------------------------------------------

// Share of a pixel of width `w` around `x` that lies in [low, high] of a pattern with period 1.
float filtered_pulse(float x, float low, float high, float w) {
    w = max(w, 1e-4);
    float a = x - 0.5 * w, b = x + 0.5 * w;
    float on = high - low;
    float ia = floor(a) * on + clamp(fract(a) - low, 0.0, on);
    float ib = floor(b) * on + clamp(fract(b) - low, 0.0, on);
    return (ib - ia) / w;
}

// 1 inside [low, high], 0 outside, edges `w` wide.
float soft_box(float x, float low, float high, float w) {
    w = max(w, 1e-4);
    return clamp((x - low) / w + 0.5, 0.0, 1.0) * clamp((high - x) / w + 0.5, 0.0, 1.0);
}

float saturate(float x) { return clamp(x, 0.0, 1.0); }

float square(float x) { return x * x; }

// One of the palette's three accents.
vec3 accent(float choice) {
    return choice < 0.42 ? accent_a : (choice < 0.75 ? accent_b : accent_c);
}

// ---- camera ------------------------------------------------------------------------------------

// How much clearer the air is for a long lens: what it brings near has to look near, or every
// picture it takes in a haze is blank.
float lens_clearing() { return max(1.0, focal / 1.7); }

// How near the light a direction is, 1 to 0, by the picture's measure: as wide for every lens.
float around_light(float toward) { return exp(-3.0 * square(focal) * (1.0 - toward)); }

// Direction of the ray through this pixel, for worlds without a horizon.
vec3 free_ray() {
    vec2 screen = uv * 2.0 - 1.0;
    screen.x *= resolution.x / resolution.y;
    return normalize(camera_basis * vec3(screen, focal));
}

// Direction of the ray through this pixel; it never crosses the horizon of its part.
vec3 view_ray() {
    vec3 ray = free_ray();
#ifdef ABOVE_HORIZON
    ray.y = max(ray.y, 1e-5);
#else
    ray.y = min(ray.y, -1e-5);
#endif
    return ray;
}
