// The street: lamps and head lights in front of a ray, and the ground.

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
        float z = (nearest + (fract((origin.z + ray.z * t) / LAMP_SPACING) < 0.5 ? i - 0.5
            : i + 0.5))
            * LAMP_SPACING;
        vec3 lamp = vec3(sign(ray.x) * LAMP_X, LAMP_HEIGHT, z) - origin;
        float along = dot(lamp, ray);
        float d2 = max(dot(lamp, lamp) - along * along, 0.0);
        float halo = square(saturate(1.0 - d2 / 6.0));
        sum += along > 0.0 && along < reach
            ? halo * (1.6 * square(0.17) / (d2 + square(0.085 + along * pixel_angle)) + 0.03
                + 0.08 * fog)
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
            float shine = halo * (2.2 * square(size)
                / (d2 + square(size * 0.5 + along * pixel_angle))
                + 0.03 * halo * halo) / (1.0 + 0.02 * along);
            // Hidden things shine a little round their edges, and nothing blinds a passer-by.
            float shown = saturate(reach + 1.6 - along) * smoothstep(0.5, 4.0, along);
            light += colour * shine * shown * car.y;
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
    vec3 shop = mix(shop_colour(front), shop_colour(front + vec2(0.0, 1.0)),
        smoothstep(0.3, 0.7, across));
    gathered += shop * near_front * 2.2 * neon_level()
        * (0.3 + 0.7 * smoothstep(5.0, 9.0, from_cross_street(p.z)));
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
