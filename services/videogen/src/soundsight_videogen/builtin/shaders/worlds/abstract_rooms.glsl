// The places' surfaces: a floor that carries waves, with lines or points on it, and a tube of
// liquid or of mirrors. Needs abstract_light.glsl.

struct Surface {
    vec3 light;     // what it sends towards the eye by itself
    float mirror;   // share of the mirror image on top of it
    vec3 normal;
    float thing;
};

// ---- where a ray meets them --------------------------------------------------------------------

const float HIGHEST = 1.15;
const float STEEPEST = 0.6;
const float RING_LENGTH = 5.0;

// Height of the floor: rings from below the centre, and a long wave across.
float rise(vec2 p) {
    vec2 d = p - middle.xz;
    float r = sqrt(dot(d, d) + 4.0);
    return swell_ring * sway(0.1 * r - 0.38 * time) / (1.0 + 0.03 * r)
        + swell_across * sway(0.034 * p.x + 0.05 * (place.z - 0.5) * p.y + 0.17 * time);
}

// Distance to the floor for an eye `height` above it and a ray that falls by `fall` a metre.
float floor_distance(vec2 from, float height, vec2 along, float fall) {
    bool waves = is_grid || is_points;
    float t = max(height - (waves ? HIGHEST : 0.0), 0.0) / fall;
    int steps = waves ? 6 : 0;
    for (int i = 0; i < steps; i++) {
        if (t > 150.0) break;
        t += (height - fall * t - rise(from + along * t)) / (fall + STEEPEST);
    }
    return t;
}

// A tube along z: radius, and by how much it is narrower than high.
vec2 tube_shape() {
    return is_hall ? vec2(10.0, mix(0.75, 1.35, place.y)) : vec2(7.0, 1.0);
}

float tube_axis() { return is_hall ? 2.0 : CENTRE_Y; }

float tube_distance(vec3 from, vec3 ray) {
    vec2 shape = tube_shape();
    vec2 o = vec2(from.x * shape.y, from.y - tube_axis()), d = vec2(ray.x * shape.y, ray.y);
    float a = max(dot(d, d), 1e-5), b = dot(o, d), c = min(dot(o, o) - shape.x * shape.x, 0.0);
    return (sqrt(b * b - a * c) - b) / a;
}

// ---- lines, points and mirrors: one pattern of cells -------------------------------------------

// Cover of lines between cells, `half_width` cells wide to each side, seen through pixels of `w`.
vec2 fine_lines(vec2 beside, vec2 half_width, vec2 w) {
    vec2 per_pixel = 1.0 / max(w, vec2(0.004));
    vec2 cover = clamp((half_width - beside) * per_pixel + 0.5, 0.0, 1.0)
        * min(vec2(1.0), 2.0 * half_width * per_pixel);
    // Where cells are no wider than pixels only their mean is left.
    return mix(cover, 2.0 * half_width, clamp(2.0 * w - 0.7, 0.0, 1.0));
}

Surface cell_surface(vec3 p, vec3 ray, float height, float pixel, vec2 radial,
        float round_it) {
    Surface s;
    bool mirrors = is_tunnel, points = is_points;
    // Rings of mirrors are each turned a little further than the one before them.
    float sides = 5.0 + floor(place.y * 5.0);
    float per_side = 6.2831853 / sides;
    float along = p.z / RING_LENGTH, ring = floor(along);
    float turn = ring * ring_twist + ring_roll + ring_sway * sway(0.08 * ring - 0.11 * time);
    float facet = (round_it + turn) / per_side;

    float size = points ? 0.55 + 0.3 * place.y : 1.6 + 1.4 * place.y;
    float fall = max(abs(ray.y), 0.004);
    vec2 q = mirrors ? vec2(facet, along) : p.xz / size;
    vec2 foot = mirrors
        ? pixel * vec2(sides / 44.0, 1.0 / (RING_LENGTH * max(dot(ray.xy, radial), 0.015)))
        : pixel * max(vec2(1.0), abs(ray.xz) / fall) / size;
    vec2 cell = floor(q), line = floor(q + 0.5);
    vec4 chance = hash24(vec2(mirrors ? mod(cell.x, sides) : cell.x, cell.y));
    vec2 beside = abs(q - line);
    float widest = max(foot.x, foot.y);
    float sharp = clamp(1.3 - 2.0 * widest, 0.0, 1.0);

    // What the music does to it: waves run out from the centre, or along the tube.
    float r = length(p.xz - middle.xz);
    float phase = mirrors ? 0.0875 * line.y : 0.05 * r;
    float wave = square(0.5 + 0.5 * sway(phase - 0.32 * time));
    wave *= wave * (mirrors ? 1.0 : 1.0 / (1.0 + 0.025 * r));
    float crest = saturate(0.5 + 0.45 * height);
    float hue = mirrors ? 0.5 + 0.5 * sway(0.143 * line.y + place.w)
        : 0.12 + 0.6 * crest + 0.2 * sway(0.008 * r - 0.06 * time);
    float power = 0.2 + (mirrors ? 0.2 : 0.55 * crest * crest) + (0.5 + 0.5 * bass) * wave;
    // Light that runs along single lines.
    vec2 own = fract(line * vec2(0.618, 0.755));
    vec2 run = fract(q.yx * 0.035 + (own - 0.5) * (0.5 * time) + own * 17.0);
    vec2 streak = squares(squares(1.0 - run)) * clamp(run * 30.0, 0.0, 1.0)
        * step(0.5, own) * (0.25 + 0.75 * sharp);

    vec2 half_width = mirrors ? vec2(0.012, 0.02) : vec2(0.011 + 0.005 * airy);
    vec2 lines = fine_lines(beside, half_width, foot);
    vec2 strength = mirrors ? vec2(0.3 + 0.5 * has_edges, power + 0.1)
        : power + streak * (1.0 + 1.6 * onset);
    // Some grids keep only a cross of the lines where they meet.
    float crosses = mirrors ? 0.0 : has_crosses;
    vec2 near = clamp((0.17 - beside.yx) * 12.0, 0.0, 1.0);
    lines *= mix(vec2(1.0), mix(vec2(0.3), near, sharp), crosses);
    float dot_size = 0.1 + 0.15 * crest + 0.05 * airy;
    float dot_cover = saturate((dot_size - length(q - cell - 0.5)) / max(widest, 0.05) + 0.5);
    dot_cover = mix(3.1 * dot_size * dot_size, dot_cover, sharp);
    float cover = points ? dot_cover * mix(0.3 + 0.7 * saturate(power), 0.9, airy)
        : saturate(dot(lines, min(strength + 0.5 * airy, 1.0)));
    float shine = points ? power : max(strength.x * lines.x, strength.y * lines.y);

    // Cells that light up, one by one.
    float filled = saturate((chance.z - 0.9 + 0.1 * energy) * 6.0) * sharp
        * (0.5 + 0.5 * sway(time * (0.16 + 0.16 * chance.x) + 7.0 * chance.w))
        * (points ? 0.0 : has_cells);
    vec3 ink = lamp(hue) * (0.55 + 0.9 * shine);
    vec3 base = deep * mix(0.55 + 0.3 * crest, 0.9 + 0.14 * crest, airy);
    // By day mirrors differ in tone, like folded paper.
    base *= mirrors ? 1.0 - (0.42 * airy) * chance.y : 1.0;
    base = mix(base, lamp(hue + 0.25) * 0.7, 0.5 * filled);
    vec2 skirt = squares(clamp(1.0 - beside * 4.0, 0.0, 1.0)) * strength;
    base += glow(hue) * (points ? 0.05 * power : 0.09 * (skirt.x + skirt.y) * sharp);
    s.light = mix(base, mix(ink, brightest, mirrors ? 0.3 * lines.y * (1.0 - airy) : 0.0), cover);

    float flat_at = (cell.x + 0.5) * per_side - turn;
    vec2 inward = -vec2(sin(flat_at), cos(flat_at));
    s.normal = normalize(vec3(inward + 0.1 * (chance.x - 0.5) * vec2(inward.y, -inward.x),
        0.16 * (chance.y - 0.5)));
    float grazing = 1.0 - fall;
    s.mirror = mirrors ? mix(0.7, 0.3, airy) * sharp * (1.0 - 0.6 * filled)
        : (points ? 0.0 : max(0.0, 0.75 * square(grazing * grazing) - 0.07) * (1.0 - 0.5 * airy));
    s.mirror *= 1.0 - cover;
    s.thing = mirrors ? 50.0 + 2.0 * mod(cell.x + 3.0 * ring, 7.0)
        : 20.0 + 7.0 * log(1.0 + distance(p, viewpoint));
    return s;
}

// ---- liquid ------------------------------------------------------------------------------------

// Liquid behind glass, lit from behind: sines that bend each other's ground, with their slopes.
Surface liquid_surface(vec3 p, vec3 ray, float pixel, vec2 radial, float round_it) {
    Surface s;
    vec3 inward = -normalize(vec3(radial.x * tube_shape().y, radial.y, 0.0));
    float foot = pixel / max(-dot(ray, inward), 0.02) * 0.16;
    vec2 q = vec2(p.z, round_it * tube_shape().x) * 0.16 + 9.0 * place.zw;
    vec2 by_z = vec2(1.0, 0.0), by_s = vec2(0.0, 1.0);
    float frequency = 1.0;
    float warp = 0.62 + 0.1 * heave + 0.1 * density;
    int octaves = is_hall ? 5 : 0;
    for (int i = 0; i < octaves; i++) {
        float strength = warp * saturate(1.3 - foot * frequency);
        vec2 phase = 0.15915494 * frequency * q.yx + time * vec2(0.05, -0.037)
            + vec2(0.27, 0.65) * float(i);
        vec2 slope = strength * sway(phase + 0.25);
        q += strength / frequency * sway(phase);
        by_z += slope * by_z.yx;
        by_s += slope * by_s.yx;
        frequency *= 1.5;
    }
    float at = 0.15915494 * (q.x + 0.6 * q.y);
    float body = 0.5 + 0.5 * sway(at);
    float second = 0.5 + 0.5 * sway(0.2 * q.y - 0.06 * q.x);
    vec2 slope = 0.5 * sway(at + 0.25) * vec2(by_z.x + 0.6 * by_z.y, by_s.x + 0.6 * by_s.y)
        * saturate(1.2 - foot);
    slope /= 1.0 + 0.35 * length(slope);
    s.normal = normalize(inward
        - 0.42 * (vec3(0.0, 0.0, 1.0) * slope.x + vec3(inward.y, -inward.x, 0.0) * slope.y));
    float behind = (0.32 + 0.75 * peak(max(p.y, 0.0) * 0.2)) * (0.8 + 0.3 * heave);
    float thin = body * body * (3.0 - 2.0 * body);
    float hue = 0.06 + 0.88 * second;
    // Some liquids have lines of equal depth drawn on them.
    float levels = 5.0 * body + 0.06 * time;
    float level_line = saturate((0.07 - abs(fract(levels) - 0.5))
        / max(0.07, 5.0 * length(slope) * foot) + 0.5) * has_contours;
    vec3 dark = deep * 0.4 + tint(hue) * behind * mix(0.03, 0.62, thin);
    vec3 pale = mix(mix(deep, far_away, thin), tint(hue) * 0.8, 0.75 - 0.55 * thin);
    s.light = mix(dark, pale, airy);
    s.light = mix(s.light, lamp(1.0 - hue) * (0.5 + 0.4 * bass), 0.55 * level_line);
    // Lights on its skin: one at the hall's end, a long one overhead.
    vec3 mirrored = reflect(ray, s.normal);
    float end = square(square(saturate(dot(mirrored, to_centre))));
    end = square(square(end));
    float strip = peak(square((mirrored.x + 0.25) * 6.0)) * saturate(2.0 * mirrored.y - 0.2);
    s.light += brightest * (0.34 * end + 0.2 * strip + 0.2 * onset * end * end)
        * mix(1.0, 0.45, airy);
    s.mirror = 0.0;
    s.thing = 30.0;
    return s;
}
