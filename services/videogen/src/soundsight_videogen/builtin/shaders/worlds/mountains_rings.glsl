// Ranges behind ranges: rings of mountains round the middle of the place, each a cone that leans
// away from it, with a crest line of its own. Being where they are, they shift against each other
// as the camera moves. Their faces are lit by a relief that runs down from the crests.

const int RINGS = 4;
const vec2 MIDDLE = vec2(0.0, 260.0);

// Metres that a ring leans back for each metre up; the north face hardly does.
float lean() { return mix(0.85, 0.45, is_face()); }

float ring_radius(float i) { return 760.0 * pow(1.95, i); }

// A jagged line, about 0 to 1: sharp above, hollow below.
float crags(float x, int octaves) {
    float amplitude = 0.56, sum = 0.0, above = 1.0;
    for (int i = 0; i < octaves; i++) {
        float edge = 1.0 - abs(2.0 * line_noise(x) - 1.0);
        edge *= edge * above;
        sum += amplitude * edge;
        above = saturate(0.35 + 1.1 * edge);
        x = 2.17 * x + 31.7;
        amplitude *= 0.52;
    }
    return sum;
}

// Height of a ring's crest over the valley at a bearing from the middle, metres.
float crest(float b, float i, int octaves) {
    float seed = 17.0 * place.z + 7.31 * i;
    float massif = line_noise(1.3 * b + seed);
    float jag = crags((2.3 + 0.9 * i) * b + 3.0 * seed, octaves);
    float high = (0.22 + 0.78 * massif) * (0.3 + 0.95 * jag);
    // The valley opens ahead; nearer rings stand to its sides.
    float from_gap = abs(b - 0.35 * (place.w - 0.5));
    high *= mix(1.0, smoothstep(0.1, 0.85, from_gap), i < 0.5 ? 0.92 : (i < 1.5 ? 0.6 : 0.0));
    // The pass: two summits with a saddle between.
    float summit = max(1.0 - abs(from_gap - 0.33) / 0.34, 0.0);
    high += is_pass() * (i == 2.0 ? 0.55 * summit * (0.7 + 0.6 * jag) - 0.12 : 0.0);
    // The north face: a wall across the view.
    float wall = smoothstep(1.15, 0.5, from_gap) * (0.62 + 0.5 * jag + 0.15 * massif);
    high = mix(high, i == 1.0 ? 1.5 * wall : (i > 1.0 ? 0.7 * high : high), is_face());
    return high * (0.54 - 0.035 * i) * ring_radius(i);
}

struct Range {
    float t;       // distance along the ray, FAR where there is only sky
    float ring;
    float b;       // bearing from the middle
    float y;       // height over the valley
    float high;    // of the crest there
    float veil;    // share of mist before it
    float spume;   // share of blown snow before it
};

// Heights of the mist that lies between the ranges; it breathes with the bass.
float mist_height(float b, float i) {
    float drift = line_noise(4.0 * b + 0.05 * time * (0.5 + wind) + 9.0 * i);
    return ring_radius(i) * (0.012 + 0.05 * drift)
        * (0.55 + 0.5 * heave + 0.6 * fog + 0.35 * cloud);
}

Range meet_range(vec3 origin, vec3 ray, float last) {
    Range met = Range(FAR, 9.0, 0.0, 0.0, 1.0, 0.0, 0.0);
    float clear = 1.0, spume = 0.0;
    vec2 from = origin.xz - MIDDLE;
    float above = origin.y - valley();
    for (int k = 0; k < RINGS; k++) {
        float i = float(k), radius = ring_radius(i);
        // Where the ray leaves the cone of this ring.
        float reach = radius + lean() * above;
        float a = max(dot(ray.xz, ray.xz) - square(lean() * ray.y), 0.02);
        float half_b = dot(from, ray.xz) - lean() * ray.y * reach;
        float t = (sqrt(max(square(half_b) - a * (dot(from, from) - square(reach)), 0.0)) - half_b)
            / a;
        if (t > last) break;
        vec2 p = from + ray.xz * t;
        float b = atan(p.x, p.y), y = above + ray.y * t;
        // Nothing there rises higher than this.
        if (y < radius) {
            clear *= 1.0 - 0.75 * exp(-max(y, 0.0) / mist_height(b, i));
            float high = crest(b, i, k < 2 ? 5 : 4);
            if (y < high) {
                met = Range(t, i, b, y, high, 0.0, 0.0);
                break;
            }
            // Loose snow smokes off the edges, most where the wind is and on every onset.
            if (has_banner > 0.5) {
                float over = (y - high) / (0.06 * radius);
                float gust = line_noise(7.0 * (b - 0.035 * over) + 6.0 * i - 0.2 * time)
                    * (0.7 + 0.3 * line_noise(41.0 * (b - 0.035 * over) - 0.9 * time));
                spume += exp(-over) * smoothstep(0.42, 0.8, gust)
                    * smoothstep(0.15, 0.4, high / radius);
            }
        }
    }
    met.veil = 1.0 - clear;
    met.spume = 1.0 - exp(-spume * (0.25 + 0.5 * wind + 0.8 * heave + 0.3 * onset));
    return met;
}

// ---- faces -------------------------------------------------------------------------------------

// Ribs and gullies of a face, 0 to 1.
float relief(vec2 q) {
    float r = 1.0 - abs(2.0 * value_noise(q) - 1.0);
    float fine = 1.0 - abs(2.0 * value_noise(q * vec2(2.3, 1.9) + 7.0 + 0.4 * r) - 1.0);
    float finest = 1.0 - abs(2.0 * value_noise(q * vec2(5.3, 4.1) + 3.0) - 1.0);
    return r * r * 0.52 + fine * fine * 0.3 + finest * finest * 0.2;
}

// Share of snow on high ground: on what is not too steep, in gullies, more in winter weather.
float snow_share(float level, float steep, float gully, float broad) {
    float line = mix(0.62, 0.3, place.y) - 0.25 * snow + 0.16 * is_face();
    float hold = mix(0.4, 0.6, is_face()) * (gully - 0.55) + 0.9 * is_face() * (broad - 0.55);
    return smoothstep(0.0, 0.12, level - line + hold - 0.3 * (steep - 0.5));
}

vec3 rock_colour() {
    return mix(mix(vec3(0.24, 0.21, 0.2), shadow_colour + 0.06, 0.45), accent_c * 0.35, 0.12);
}

vec3 snow_colour() { return mix(vec3(0.86, 0.88, 0.92), light_colour, 0.3); }

float side_light() { return sun_direction.x > 0.0 ? 1.0 : -1.0; }

vec3 face_light(Range met, vec3 ray) {
    float radius = ring_radius(met.ring), size = 0.085 * radius;
    float s = met.b * radius;
    vec2 out_ = vec2(sin(met.b), cos(met.b)), right = vec2(out_.y, -out_.x);
    float foot = met.t * pixel_angle;
    // Ribs lean away from the summits as they run down.
    float depth = met.high - met.y;
    float broad = value_noise(vec2(s, 0.8 * met.y) / (2.6 * size) + 5.0 * met.ring);
    float sway = 0.28 * depth * (broad - 0.5);
    vec2 q = vec2(s + sway, met.y * mix(0.42, 0.24, is_face())) / size + 23.0 * place.z
        + 11.0 * met.ring;
    float e = 0.03 + foot / size;
    float here = relief(q);
    float across = (relief(q + vec2(e, 0.0)) - here) / e;
    // The large shape: which side of its summit a point is on.
    float wide = 0.05 + 0.25 * depth / radius;
    float shift = sway / radius;
    float b = met.b + shift;
    float side = (crest(b + wide, met.ring, 2) - crest(b - wide, met.ring, 2))
        / (2.0 * wide * radius);
    float lean = -mix(0.75, 0.5, is_face()) * across - 1.5 * side;
    vec3 normal = normalize(vec3(right.x * lean - out_.x, 0.6 + 0.8 * here,
        right.y * lean - out_.y));
    float level = met.y / (0.4 * radius);
    float white = snow_share(level, 1.0 - normal.y + 0.1, 1.0 - here, broad);
    // Woods on the lower slopes, patchy at their upper edge.
    float wood = smoothstep(0.34, 0.22, level + 0.25 * (here - 0.5)) * (1.0 - is_face())
        * (1.0 - 0.6 * snow);
    vec3 stone = rock_colour() * (0.65 + 0.7 * here);
    vec3 trees = mix(shadow_colour * 0.5, vec3(0.035, 0.05, 0.035), 0.6)
        * (0.5 + 1.2 * here);
    vec3 colour = mix(mix(stone, trees, wood), snow_colour(), white);
    // The last light is on the summits: the valley's shade climbs as the sun sinks.
    float low = 1.0 - smoothstep(0.03, 0.16, sun_direction.y);
    float open = mix(1.0, smoothstep(0.1, 0.55, level + 0.2 * (here - 0.5)), low * (1.0 - night));
    colour *= 0.62 + 0.5 * here;
    // Skylight comes from one side more than from the other, so that shade has form too.
    vec3 light = lit_surface(colour, normal, open)
        + colour * ambient_colour * saturate(0.3 + 0.6 * dot(normal.xz, right) * side_light());
    float glow = pow(saturate(dot(normal, sun_direction)), 2.0) * open * low * (1.0 - night);
    light += mix(accent_a, sunlight(), 0.4) * colour * glow * 0.5 * (1.0 + 0.15 * beat);
    return light;
}
