// The form in the middle of a shot: a solid that mirrors the room, or bands of light in planes
// across the way. Needs abstract_light.glsl.

// ---- solids ------------------------------------------------------------------------------------

// Distance to the solid. A sphere is a ring of no width; a gem is a folded corner.
float solid(vec3 p) {
    float swell = 1.0 + 0.14 * heave + 0.03 * bass;
    bool torus = form == TORUS;
    float lobes = torus ? (2.0 + floor(4.0 * variation.z)) * 0.15915494 : 0.25 + 0.3 * variation.z;
    float wobble = sway(lobes * (torus ? atan(p.y, p.x) : p.y) - 0.22 * time);
    float tube = torus ? 0.9 + (0.2 + 0.25 * heave) * wobble : 2.9 + (0.03 + 0.12 * heave) * wobble;
    float ring = length(vec2(length(p.xy) - (torus ? 3.3 : 0.0), p.z)) - tube * swell;
    vec3 q = abs(p);
    float gem = max(dot(q, vec3(0.72, 0.38, 0.58)), max(dot(q, vec3(0.93, 0.2, 0.1)), q.y * 0.9))
        - 2.4 * swell;
    return form == GEM ? gem : ring;
}

// Where a ray meets the solid (FARTHEST: nowhere); marched only where it comes near.
float solid_distance(vec3 from, vec3 ray, inout vec3 normal) {
    const float BOUND = 5.6;
    vec3 o = from - middle;
    float b = dot(o, ray);
    float under = b * b - dot(o, o) + BOUND * BOUND;
    bool near = form <= GEM && under > 0.0;
    int steps = near ? 16 : 0;
    float half_chord = sqrt(max(under, 0.0));
    vec3 at = o * solid_turn, along = ray * solid_turn;
    float t = max(-b - half_chord, 0.0), last = -b + half_chord;
    float apart = 1.0;
    for (int i = 0; i < steps; i++) {
        apart = solid(at + along * t);
        t += 0.85 * apart;
        if (t > last || apart < 0.015) break;
    }
    bool found = near && apart < 0.03 && t < last;
    vec3 slope = vec3(0.0);
    int sides = found ? 4 : 0;
    // Normal from the corners of a tetrahedron (after Inigo Quilez).
    for (int i = 0; i < sides; i++) {
        vec3 e = vec3(i == 0 || i == 3 ? 1.0 : -1.0, i == 1 || i == 3 ? 1.0 : -1.0,
            i == 2 || i == 3 ? 1.0 : -1.0);
        slope += e * solid(at + along * t + 0.012 * e);
    }
    if (found) normal = solid_turn * normalize(slope);
    return found ? t : FARTHEST;
}

// ---- bands -------------------------------------------------------------------------------------

vec4 over(vec4 front, vec4 back) { return front + back * (1.0 - front.a); }

// Bands of light, premultiplied, with how much they cover. Along a line they are ribbons or
// columns, around the centre they are rings or the rays of a rose.
vec4 bands(vec3 from, vec3 ray, float reach) {
    bool rings = form == RINGS, ribbons = form == RIBBONS, rose = form == ROSE;
    bool closed = rings || rose, bars = rose || form == COLUMNS;
    int count = form <= GEM || ray.z < 0.12 ? 0 : (ribbons ? 5 : (rings ? 4 : (rose ? 2 : 3)));
    bool grounded = form == COLUMNS && !is_tunnel;
    vec4 sum = vec4(0.0);
    float start = middle.z - from.z;
    float forward = 1.0 / max(ray.z, 0.1);
    // Bars: how many a radian (48 around) or a metre.
    float pitch = rose ? 7.6394373 : 0.8;
    float loud = 0.5 + 0.9 * energy;
    for (int i = 0; i < count; i++) {
        float k = float(i);
        float own = fract(k * 0.618 + variation.w);
        // Rings leave the centre and pass the camera; the others stand one behind the other.
        bool disc = rings && i == 3;
        float way = rings && !disc ? fract(0.05 * time + k * 0.3333) : 0.0;
        float ahead = rings ? mix(start, 1.5, way * way) : start + 4.0 - 2.2 * k;
        float t = ahead * forward, w = pixel_angle * t, per_pixel = 1.0 / w;
        vec2 d = from.xy + ray.xy * t - middle.xy;
        float r = length(d);
        // Along the band, and across it from its middle line.
        float s = closed ? atan(d.y, d.x) : d.x;
        float radius = 3.0 + 0.5 * heave + (disc ? -0.6 : 2.2 * way + (rose ? 0.9 * k : 0.0));
        float line = line_swell * (1.6 * sway(0.027 * s + 0.07 * time + 0.09 * k)
            + 0.7 * sway(0.053 * s - 0.1 * time + own)) + 0.5 * (k - 2.0);
        float base = grounded ? 0.3 - middle.y : 0.0;
        float across = closed ? r - radius : d.y - (bars ? base : line);
        // Bars: each goes out by its own share of the music.
        float at = s * pitch + 0.5 * k, bar = floor(at);
        float share = fract((rose ? mod(bar, 48.0) : bar) * 0.618);
        float height = 0.3 + loud * (0.5 + 0.5 * sway(time * (0.17 + 0.2 * share) + 7.0 * share))
            + heave * (0.3 + 1.4 * share) + 0.4 * bass * (1.0 - share);
        // Ribbons: a band's turn around its own line, edge on where its cosine is 0.
        float facing = sway(rings ? (1.0 + mod(k, 2.0)) * 0.15915494 * s + time * (0.05 + 0.02 * k)
            : 0.03 * s + 0.08 * time + 0.21 * k);
        float fold = (0.6 + 0.5 * own + 0.3 * heave) * facing;
        float ends = closed ? 1.0 : saturate((bars ? 1.5 : 2.0) - 0.1 * abs(d.x));
        float wide = bars ? (rose ? 0.9 : 2.3) * height : (rings ? 0.07 : abs(fold));
        wide *= saturate(2.0 * ends);
        bool one_way = rose || grounded;
        float off = one_way ? across - 0.5 * wide : across;
        float half_wide = one_way ? 0.5 * wide : wide;
        float cover = saturate((half_wide - abs(off)) * per_pixel + 0.5)
            * min(1.0, 2.0 * half_wide * per_pixel);
        float w_bar = max((rose ? w / max(r, 0.5) : w) * pitch, 0.03);
        float slots = saturate((0.3 - abs(at - bar - 0.5)) / w_bar + 0.5);
        cover *= bars ? mix(slots, 0.6, saturate(2.0 * w_bar - 0.6))
            : (rings && !disc ? saturate(1.2 + 2.5 * facing) : 1.0);
        // Its light: a sheen where it faces the light, bright tips of bars.
        float side = fold < 0.0 && !bars ? -0.5 : 0.5;
        float up = saturate(0.5 + side * off / max(half_wide, 0.02));
        float tip = square(up);
        float sheen = square(saturate(1.0 - abs(up - 0.3 - 0.35 * abs(facing)) * 2.4));
        float hue = rings ? 0.2 + 0.7 * way : (bars ? 0.1 + 0.85 * up : 0.19 * k + 0.25 * up);
        float body = rings ? 1.1 + 0.3 * beat
            : (bars ? 0.16 + 0.75 * tip + 0.3 * airy
                : (0.12 + 0.5 * tip + 0.7 * airy) * (fold > 0.0 ? 1.0 : 0.55));
        float white = rings ? 0.2 : (bars ? 0.4 * tip * tip : 0.6 * sheen * sheen);
        float life = rings && !disc ? saturate(9.0 * way) * saturate(3.0 - 3.0 * way)
            : saturate(3.0 * ends);
        life *= ahead > 0.2 && t < reach ? 1.0 : 0.0;
        float thick = cover * life * (bars ? 0.5 + 0.5 * tip : (rings ? 1.0 : 0.88));
        vec3 colour = tint(hue);
        vec4 here = vec4((colour * lamp_scale + lamp_base) * body + brightest * white, 1.0) * thick;
        // Rings glow; the disc is black, with a corona.
        float hole = disc ? saturate((radius - r) * per_pixel + 0.5) * life : 0.0;
        vec2 shape = disc ? vec2(1.4, 0.5) : vec2(5.0, 0.16);
        float halo = rings ? peak(abs(across) * shape.x) * shape.y * life : 0.0;
        here.rgb += colour * (glow_scale * halo * (1.0 - hole));
        here = over(here, vec4(shadow_colour * 0.5, 1.0) * hole);
        sum = over(here, sum);
    }
    return sum;
}
