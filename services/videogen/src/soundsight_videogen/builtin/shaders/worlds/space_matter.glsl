// What bodies are made of: the giant's clouds, or cratered stone and ice, lit by the star.

// Slope of craters at a place on the map, one to a cell of a turned grid: they never overlap.
vec2 crater_slope(vec2 p, float turn, float pixel) {
    mat2 grid = mat2(cos(turn), -sin(turn), sin(turn), cos(turn));
    vec2 q = grid * p;
    vec4 chance = hash24(floor(q) + 3.0 * turn);
    vec2 d = fract(q) - (0.42 + 0.16 * chance.xy);
    float radius = mix(0.08, 0.21, chance.z);
    float r = length(d), x = r / radius;
    // A bowl, its raised rim, and the skirt that falls away outside.
    float slope = x < 1.0 ? 1.1 * x * smoothstep(1.02, 0.9, x)
                          : -0.9 * (x - 0.9) * 3.0 * exp(-square((x - 0.9) / 0.34));
    slope *= step(0.25, chance.w) * smoothstep(2.0, 1.6, x);
    slope /= 1.0 + square(pixel / (0.35 * radius));
    return (d / max(r, 1e-3) * slope) * grid;
}

vec3 shade(Body body, vec3 ray, vec3 light_from, float ring_shadow) {
    // The giant's own coordinates.
    vec3 east = normalize(cross(planet_axis, -planet_toward)), front = cross(east, planet_axis);
    float latitude = dot(body.normal, planet_axis);
    float longitude = atan(dot(body.normal, east), dot(body.normal, front));
    // Its storm's eye drags the bands along.
    vec2 spot = vec2(0.3 * sin(0.06 * time + 6.0 * place.z), mix(-0.42, -0.2, place.w));
    vec2 d = (vec2(longitude, latitude) - spot) * vec2(2.6, 4.8);
    float within = exp(-dot(d, d)) * has_eye;
    float twist = 3.4 * within;
    vec2 swirl = mat2(cos(twist), -sin(twist), sin(twist), cos(twist)) * d;
    vec2 bent = (swirl - d) * vec2(0.22, 0.14);
    float turned = longitude + 0.035 * time + bent.x;
    float belt = (latitude + bent.y) * mix(4.2, 7.0, place.z);

    vec2 l = vec2(dot(light_from, body.right), dot(light_from, body.up));
    l /= max(length(l), 0.05);
    bool clouds = body.banded > 0.5;
    // Three noises serve either matter; only what they are asked differs.
    float a = grains(clouds ? vec2(turned * 2.6, belt * 1.5 + 0.02 * time)
                            : body.map * 0.7 + 4.0, 3);
    vec2 at = clouds ? vec2(turned * 0.14 + 0.35 * a, belt + 0.5 * (a - 0.45)) + 11.0 * place.zw
                     : body.map * 2.3;
    float b = grains(at, 4);
    float c = grains(clouds ? vec2(turned * 1.7 + 2.0 * a, belt * 3.4 + 1.6 * a)
                            : at + 0.11 * l, 4);

    float facing = dot(body.normal, light_from);
    // Stone and ice.
    vec2 slope = 0.9 * crater_slope(body.map * 0.4, 0.4, body.pixel * 0.4)
        + 0.8 * crater_slope(body.map * 1.3 + 0.5, 1.3, body.pixel * 1.3)
        + 0.65 * crater_slope(body.map * 4.1, 2.3, body.pixel * 4.1);
    float relief = body.rough * (-dot(slope, l) * 0.62
        + (b - c) * 3.2 / (1.0 + square(body.pixel * 5.0)));
    float stone_lit = saturate(facing + relief * smoothstep(-0.25, 0.2, facing)
        * sqrt(max(1.0 - facing * facing, 0.0)));
    vec3 grey = mix(vec3(0.3), accent_b / max(dot(accent_b, vec3(0.333)), 0.05) * 0.3, 0.25);
    vec3 stone = mix(grey * 0.68, mix(grey, light_colour, 0.3), smoothstep(0.25, 0.62, a))
        * (0.75 + 0.5 * b);

    // Clouds in bands.
    float swap = step(0.5, fract(place.y * 9.0));
    vec3 one = mix(accent_b, accent_a, swap), two = mix(accent_a, accent_b, swap);
    vec3 deep = mix(shadow_colour * 2.5, one, 0.22);
    vec3 bright = mix(one, light_colour, 0.6) * 0.85;
    vec3 bands = mix(deep, mix(one, light_colour, 0.12) * 0.6, smoothstep(0.28, 0.44, b));
    bands = mix(bands, bright, smoothstep(0.44, 0.6, b));
    float stripe = smoothstep(0.3, 0.5, grain_line(belt * 1.7 + 0.8 * a + 40.0 * place.w) - 0.25);
    bands = mix(bands, mix(two, light_colour, 0.2) * 0.6, 0.5 * stripe);
    bands = mix(bands, mix(two * 0.8, bright, smoothstep(0.35, 0.6, c)), 0.8 * within);
    bands *= 0.45 + 1.15 * c;
    bands *= 1.0 - 0.35 * smoothstep(0.6, 1.0, abs(latitude));
    float cloud_lit = smoothstep(-0.08, 1.0, facing + 0.06 * (c - 0.5));

    vec3 base = clouds ? bands : stone * (1.0 - 0.35 * step(0.9, body.normal.y) * is_plain);
    float lit = clouds ? cloud_lit : stone_lit;
    vec3 light = base * (star_light * lit * ring_shadow + fill_light * (1.0 + 0.6 * body.normal.y));

    // Ice mirrors a low star in a broad path.
    vec3 tilted = normalize(body.normal - 0.25 * (body.right * slope.x + body.up * slope.y)
        - 1.2 * (b - c) * (body.right * l.x + body.up * l.y));
    float path = pow(max(dot(reflect(ray, tilted), star_direction), 0.0), 26.0);
    light += star_light * path * 0.3 * step(0.9, body.normal.y) * rising * is_plain;

    // The night side: sheet lightning in the clouds, and a crown of fire about the pole.
    float dark = smoothstep(0.1, -0.25, facing) * body.banded;
    float clock = time * 0.9;
    vec2 strike = vec2(hash11(floor(clock)), hash11(floor(clock) + 0.37)) * 1.4 - 0.7;
    vec2 local = vec2(dot(body.normal, planet_right), dot(body.normal, planet_up));
    float near_strike = exp(-24.0 * dot(local - strike, local - strike))
        * square(sin(PI * fract(clock)));
    light += mix(accent_b, light_colour, 0.5) * near_strike * dark * (0.25 + 0.75 * c)
        * onset * (0.35 + 0.5 * storm);
    float crown = exp(-square((latitude - 0.86 - 0.05 * (a - 0.5)) / 0.035));
    light += accent_a * crown * dark * (0.1 + 0.4 * b) * (0.5 + 0.8 * heave);

    // Air: a thin bright limb on the star's side.
    float grazing = 1.0 - saturate(-dot(body.normal, ray));
    float rim = square(grazing) * grazing;
    light += mix(accent_b, light_colour, 0.25) * rim * body.banded
        * (smoothstep(-0.45, 0.5, facing) * (0.55 + 0.25 * beat) + 0.03);
    return light;
}
