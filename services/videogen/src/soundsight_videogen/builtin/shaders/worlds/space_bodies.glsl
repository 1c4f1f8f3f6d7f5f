// Solid things in space, found by their formulas: a planet, moons, drifting stones, a plain of ice.
// Whatever a pixel shows, it is shaded once, in space_matter.glsl: branches cost both their sides.

// The nearest solid thing of a pixel.
struct Body {
    float cover;     // share of the pixel that it fills
    float distance;  // in units of its own kind's scale; only planet and rings are compared
    float thing;     // differs between things
    float banded;    // 1 for the giant's clouds, 0 for stone and ice
    vec3 normal;
    vec3 right, up;  // directions on the surface along which `map` grows
    vec2 map;        // where on its surface, in units of its largest craters
    float rough;     // strength of its relief
    float pixel;     // size of a pixel on the map
};

// Light through or off the rings at a radius (in planet radii): many fine lines, filtered.
float ring_profile(float radius, float pixel) {
    float inside = smoothstep(1.28, 1.36, radius) * smoothstep(2.3, 2.22, radius);
    float seed = 31.0 * place.w;
    float coarse = grain_line(radius * 7.0 + seed);
    float middle = grain_line(radius * 26.0 + seed) - 0.5;
    float fine = grain_line(radius * 83.0 + seed) - 0.5;
    float lines = 0.3 + 0.75 * coarse + 0.7 * middle / (1.0 + square(pixel * 24.0))
        + 0.55 * fine / (1.0 + square(pixel * 80.0));
    float gap = smoothstep(0.0, 0.05 + pixel, abs(radius - 1.86)) * 0.92 + 0.08;
    return inside * saturate(lines) * gap * ring_share;
}

// Where a ray meets the plane of the rings: radius, and distance or a negative number.
vec2 ring_hit(vec3 origin, vec3 ray) {
    float down = dot(ray, planet_axis);
    float t = dot(planet_centre - origin, planet_axis) / (abs(down) < 1e-4 ? 1e-4 : down);
    return vec2(length(origin + ray * t - planet_centre), t);
}

// Where one body stands before another its edge is hard here, and smoothed in the last pass: what
// is behind it is not known any more.
float cover_over(Body body, float cover) { return body.cover > 0.1 ? step(0.5, cover) : cover; }

void put_planet(inout Body body, vec3 ray) {
    float along = dot(planet_centre, ray);
    float away = length(planet_centre - ray * along);
    float pixel = pixel_angle * along;
    float cover = smoothstep(1.0 + 0.7 * pixel, 1.0 - 0.7 * pixel, away) * step(0.0, along);
    float t = along - sqrt(max(1.0 - away * away, 0.0));
    vec3 n = normalize(ray * t - planet_centre);
    if (cover > 0.0) {
        body.cover = cover;
        body.distance = t;
        body.thing = 20.0;
        body.banded = max(is_giant, max(is_belt * step(0.5, place.w), is_plain * has_ring));
        body.normal = n;
        body.right = planet_right;
        body.up = planet_up;
        vec3 local = vec3(dot(n, planet_right), dot(n, planet_up), -dot(n, planet_toward));
        body.map = local.xy / (1.0 + max(local.z, 0.0)) * 3.4 + vec2(0.02 * time, 9.0 * place.w);
        body.rough = 0.6;
        body.pixel = 3.4 * pixel;
    }
}

// Moons: two small ones that go around slowly, and for some shots the limb of a near one.
// Loops here run as often as the place needs: a loop is the only thing llvmpipe can leave early,
// and it can only do so after its first round.
void put_moons(inout Body body, vec3 ray) {
    float near_limb = step(0.6, variation.z) * (is_giant + is_nebula);
    int moons = is_belt > 0.5 ? 1 : (near_limb > 0.5 ? 3 : 2);
    vec4 found = vec4(0.0);  // place on the disc, order, pixel
    vec3 where = vec3(0.0, 0.0, 1.0);
    float best = 0.0;
    int i = 0;
    do {
        float order = float(i), limb = step(1.5, order);
        float phase = 0.02 * time * (1.0 + 0.6 * order) + 6.28 * place.y + 2.2 * order;
        vec3 to = planet_toward + (planet_right * cos(phase) * 1.3
            + planet_up * (0.45 * sin(phase) + 0.2)) * mix(0.36, 0.52, order);
        to.y = mix(to.y, max(to.y, 0.12), is_plain);
        // The near one's limb rises from below, off to a side.
        vec3 low = vec3((variation.x - 0.5) * 1.1 - 0.006 * camera_position.x,
            -1.5 - 0.006 * camera_position.y, 1.0);
        to = normalize(mix(to, low, limb));
        float size = mix(mix(0.05, 0.028, order) * (0.8 + 0.8 * place.w),
            0.64 + 0.08 * variation.y, limb);
        float wanted = (1.0 - is_belt) * (i == 1 ? has_second_moon : 1.0);
        float facing = dot(ray, to);
        vec3 d = (ray - to * facing) / size;
        float r = length(d), pixel = pixel_angle / size;
        float cover = smoothstep(1.0 + 0.7 * pixel, 1.0 - 0.7 * pixel, r)
            * step(0.0, facing) * wanted;
        if (cover > 0.02) {
            best = best > 0.1 ? step(0.5, cover) : cover;
            where = to;
            found = vec4(size, r, order, pixel);
        }
    } while (++i < moons);
    best = cover_over(body, best);
    if (best > 0.02) {
        vec3 right = normalize(cross(vec3(0.0, 1.0, 0.0), where)), up = cross(where, right);
        vec2 disc = vec2(dot(ray, right), dot(ray, up)) / found.x;
        float deep = sqrt(max(1.0 - found.y * found.y, 0.0));
        float detail = found.z < 1.5 ? 2.6 : 9.0;
        body = Body(best, -1.0, 30.0 + 3.0 * found.z, 0.0,
            right * disc.x + up * disc.y - where * deep, right, up,
            disc / (1.0 + deep) * detail + vec2(0.012 * time, 7.0 * found.z + 3.0 * place.z),
            0.8, found.w * detail);
    }
}

const int SHEETS = 6;
const float SHEET_GAP = 8.0;

// Stones of the belt, in sheets that come towards the camera, far ones first.
void put_stones(inout Body body, vec3 ray) {
    float ahead = max(ray.z, 0.12);
    vec2 slope = ray.xy / ahead;
    float way = camera_position.z + 1.2 * time;
    float passed = floor(way / SHEET_GAP);
    float part = way / SHEET_GAP - passed;
    int sheets = is_belt > 0.5 ? SHEETS : 1;
    vec4 found = vec4(0.0);  // towards the edge of the disc, and the turned place on it
    vec4 which = vec4(0.0);
    float best = 0.0, best_pixel = 1.0;
    int i = 0;
    do {
        float order = float(SHEETS - i);
        float depth = (order - part) * SHEET_GAP + 2.0;
        float sheet = passed + order;
        vec2 lateral = slope * depth;
        vec2 home = camera_position.xy * vec2(1.0, 0.3) / 6.0
            + 17.0 * fract(sheet * vec2(0.618, 0.755));
        vec2 q = lateral / 6.0 + home;
        vec2 cell = floor(q);
        vec4 chance = hash24(cell + 13.0 * sheet);
        vec2 centre = cell + 0.34 + 0.32 * chance.xy;
        float radius = mix(0.05, 0.27, chance.z * chance.z) * (1.0 + 0.04 * heave)
            * smoothstep(float(SHEETS), float(SHEETS) - 1.5, order - part);
        // None is struck: the nearer one comes to the camera's path, the smaller it is.
        radius = min(radius, 0.22 * length(centre - home) + 0.004 * depth)
            * smoothstep(2.4, 5.0, depth) + 1e-3;
        vec2 d = (q - centre) / radius;
        float spin = (0.15 + 0.3 * chance.x) * time * sign(chance.y - 0.5) + 6.28 * chance.w;
        float turn_sin = sin(spin), turn_cos = cos(spin);
        vec2 turned = vec2(turn_cos * d.x + turn_sin * d.y, turn_cos * d.y - turn_sin * d.x);
        turned.x *= 1.0 + 0.5 * chance.y;
        float r = length(turned);
        r *= 0.78 + 0.55 * grain(turned * (1.7 / max(r, 1e-3)) + 19.0 * chance.xy);
        float pixel = pixel_angle * depth / (6.0 * radius);
        // The belt is flat: few stones high above or far below its plane.
        float plane = (slope.y * depth + camera_position.y * 0.3 + 1.5) / 16.0;
        float wanted = step(chance.w, (0.35 + 0.45 * density) * exp(-plane * plane));
        float cover = smoothstep(1.0 + pixel, 1.0 - pixel, r) * wanted
            * smoothstep(2.4, 3.0, depth);
        if (cover > 0.02) {
            best = best > 0.1 ? step(0.5, cover) : cover;
            found = vec4(d * (min(r, 1.0) / max(length(d), 1e-3)), turned);
            which = vec4(chance.zw, order, chance.x);
            best_pixel = pixel;
        }
    } while (++i < sheets);
    best = cover_over(body, best * is_belt * step(0.12, ray.z));
    if (best > 0.02) {
        float deep = sqrt(max(1.0 - dot(found.xy, found.xy), 0.0));
        body = Body(best, -1.0, 60.0 + 3.0 * which.z + 7.0 * which.w, 0.0,
            camera_basis * vec3(found.xy, -deep), camera_basis[0], camera_basis[1],
            found.zw / (1.0 + deep) * 1.3 + 9.0 * which.xy, 1.1, 1.3 * best_pixel);
    }
}

#ifdef ABOVE_HORIZON
// Mountains on the plain's edge: two ranges by bearing.
void put_ridges(inout Body body, vec3 ray) {
    float bearing = atan(ray.x, ray.z), rise = ray.y / max(length(ray.xz), 1e-3);
    int i = 0, ranges = is_plain > 0.5 ? 2 : 1;
    do {
        float near = float(i);
        float shift = -0.0012 * camera_position.x * (1.0 + 2.0 * near);
        float b = bearing * mix(2.6, 4.4, near) + shift + 23.0 * place.w + 9.0 * near;
        float top = mix(0.035, 0.012, near)
            + mix(0.14, 0.075, near) * square(grains(vec2(b, 2.0 + near), 4) + 0.12);
        float cover = smoothstep(top + pixel_angle, top - pixel_angle, rise) * is_plain;
        cover = cover_over(body, cover);
        if (cover > 0.02) {
            float down = (top - rise);
            body = Body(cover, -1.0, 40.0 + 3.0 * near, 0.0,
                normalize(vec3(-0.2 * ray.x, 0.55, -ray.z)),
                vec3(1.0, 0.0, 0.0), vec3(0.0, 0.7, 0.7),
                vec2(b * 1.5, rise * 14.0 + 3.0 * down), 0.7, pixel_angle * 8.0);
        }
    } while (++i < ranges);
}
#else
// The plain itself.
void put_plain(inout Body body, vec3 ray) {
    float height = max(camera_position.y, 1.0);
    float t = height / max(-ray.y, 1e-4);
    vec2 p = camera_position.xz * vec2(1.0, 1.2) + ray.xz * t;
    if (is_plain > 0.5 && ray.y < 0.0) {
        body = Body(1.0, -1.0, 50.0, 0.0, vec3(0.0, 1.0, 0.0), vec3(1.0, 0.0, 0.0),
            vec3(0.0, 0.0, 1.0), p * 0.09 + 7.0 * place.zw, 1.0,
            0.09 * t * pixel_angle / pow(max(-ray.y, 0.002), 0.75));
    }
}
#endif
