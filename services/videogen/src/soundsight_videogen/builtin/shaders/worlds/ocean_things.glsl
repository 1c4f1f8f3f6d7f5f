// What is seen on the horizon and before it: an island, sea stacks, a lighthouse, a boat, birds, and
// close by a buoy or a rock. All of it stands near the sun's or the moon's light, dark against it.

// Nothing far away is higher than this slope.
const float HIGHEST = 0.15;

// Where something stands: to the side of the light, chosen by the place.
float beside(float side, float out_, float spread, float chance) {
    return sun_bearing + (side > 0.5 ? 1.0 : -1.0) * (out_ + spread * chance);
}

// Shape of land far away at a bearing: its height as a slope.
float island_height(float b) {
    float middle = beside(place.x, 0.12, 0.2, place.y);
    float across = (b - middle) / (0.32 + 0.25 * place.z);
    float hill = max(1.0 - across * across, 0.0);
    return has_island * hill * (0.02 + 0.075 * fbm(vec2(b * 6.0 + 30.0 * place.w, 3.0), 4)) * 1.1;
}

float stack_height(float b) {
    float tallest = 0.0;
    for (float i = 0.0; i < 3.0; i++) {
        float chance = fract(place.z * 7.0 + i * 0.618);
        float middle = beside(place.y, -0.03, 0.05, place.w) + 0.115 * (i - 0.5) + 0.05 * chance;
        float broad = 0.02 + 0.018 * chance;
        float rough = 0.006 * (value_noise(vec2(b * 90.0, i * 9.0)) - 0.5);
        float d = abs(b - middle + rough) / broad;
        tallest = max(tallest,
            (0.05 + 0.06 * chance) * (1.0 - pow(d, 1.3 + 2.2 * chance))
            * (0.65 + 0.75 * fbm(vec2(b * 58.0, 2.0 + 9.0 * i), 2)));
    }
    return has_stacks * tallest;
}

// Land and what stands on it, painted over the sky.
vec3 shore(vec3 ray, vec3 sky, inout float thing) {
    float b = bearing(ray), rise = rise_of(ray);
    float w = pixel_angle;
    vec3 haze = sea_fog(ray);
    vec3 far_land = mix(haze, zenith_colour * 0.35 + shadow_colour * 0.15, 0.66 - 0.3 * fog);
    vec3 near_land = mix(haze, shadow_colour * 0.3 + zenith_colour * 0.12, 0.9 - 0.22 * fog);
    float land = island_height(b);
    float cover = smoothstep(land + w, land - w, rise) * step(1e-4, land);
    vec3 light = mix(sky, far_land, cover);
    float rock = stack_height(b);
    float rock_cover = smoothstep(rock + w, rock - w, rise) * smoothstep(0.0, 0.004, rock);
    float face = 0.75 + 0.45 * fbm(vec2(b * 120.0, rise * 60.0), 2);
    light = mix(light, near_land * face, rock_cover);
    thing += 3.0 * step(0.5, cover) + 5.0 * step(0.5, rock_cover);
    return light;
}

float lighthouse_bearing() { return beside(1.0 - place.x, 0.09, 0.14, place.y); }

// A tapered tower on a rock with a lamp that turns with the music's clock.
vec3 lighthouse(vec3 ray, vec3 behind) {
    float b = bearing(ray), rise = rise_of(ray);
    float at = lighthouse_bearing();
    vec2 d = vec2(b - at, rise);
    float w = pixel_angle;
    const float TOP = 0.092;
    float half_width = mix(0.0078, 0.0048, saturate(d.y / TOP));
    float tower = soft_box(d.x, -half_width, half_width, w) * soft_box(d.y, 0.0, TOP, w);
    float gallery = soft_box(d.x, -0.0072, 0.0072, w) * soft_box(d.y, TOP - 0.002, TOP + 0.0012, w);
    float room = soft_box(d.x, -0.0042, 0.0042, w) * soft_box(d.y, TOP, TOP + 0.01, w);
    float eaves = 0.0055 - 0.55 * (d.y - TOP - 0.01);
    float roof = soft_box(d.x, -eaves, eaves, w)
        * soft_box(d.y, TOP + 0.01, TOP + 0.02, w);
    float mound = 0.013 * max(1.0 - square(d.x / 0.07), 0.0)
        * (0.7 + 0.6 * value_noise(vec2(b * 60.0, 5.0)));
    float rock = smoothstep(mound + w, mound - w, d.y) * step(1e-4, mound);
    vec3 dark = mix(sea_fog(ray), shadow_colour * 0.25 + zenith_colour * 0.1, 0.92 - 0.15 * fog);
    float stripes = filtered_pulse(d.y / 0.046, 0.0, 0.5, w / 0.046);
    float sunny = 0.45 + 0.55
        * smoothstep(-half_width, half_width, d.x * sign(sun_direction.x + 1e-3));
    vec3 paint = mix(dark,
        (ambient_colour + sun_colour * 0.4 * sunny) * mix(vec3(0.6), accent_a, stripes), 0.5);
    vec3 light = mix(behind, paint, tower);
    light = mix(light, dark, max(max(gallery, roof), rock));
    light = mix(light, mix(light_colour, vec3(1.0, 0.85, 0.6), 0.4) * 1.2, room);
    // The lamp's beam sweeps: bright when it looks this way.
    float turn = 0.9 * time;
    float facing = pow(saturate(cos(turn)), 12.0);
    float r = length(vec2(d.x, d.y - TOP - 0.005));
    float dusk = smoothstep(0.0, 0.4, night + 0.4 * fog);
    light += mix(light_colour, vec3(1.0, 0.85, 0.6), 0.5) * dusk
        * (0.00012 * (0.35 + 3.0 * facing) / (r * r + 0.00004));
    float side = sign(sin(turn)) * (d.x);
    float beam_width = 0.004 + 0.07 * max(side, 0.0);
    float beam = exp(-square((d.y - TOP - 0.005) / beam_width)) * smoothstep(0.0, 0.012, side)
        * exp(-2.6 * abs(side)) * 0.02 / beam_width * 0.35;
    light += light_colour * dusk * beam * abs(sin(turn)) * (0.4 + fog) * 0.6;
    return mix(behind, light, has_lighthouse);
}

// A small boat under sail; it rides the swell.
vec3 boat(vec3 ray, vec3 behind) {
    float b = bearing(ray), rise = rise_of(ray);
    float at = beside(place.w, 0.02, 0.1, place.z) + 0.0011 * (time - 110.0);
    float rock = 0.05 * sin(0.9 * time + 3.0) * (0.6 + heave);
    vec2 d = vec2(b - at, rise + 0.0022 - 0.0016 * sin(0.7 * time));
    d = mat2(cos(rock), -sin(rock), sin(rock), cos(rock)) * d / (0.75 + 0.5 * place.z);
    float w = pixel_angle;
    float hull = soft_box(d.x, -0.019 - 0.5 * d.y, 0.021 + 0.9 * d.y, w)
        * soft_box(d.y, 0.0, 0.0052, w);
    float reach = 0.062 - d.y;
    float main_sail = soft_box(d.x, -0.017 * reach / 0.056 - 0.001, -0.0006, w)
        * soft_box(d.y, 0.0075, 0.062, w);
    float jib = soft_box(d.x, 0.0008, 0.017 * (0.052 - d.y) / 0.046, w)
        * soft_box(d.y, 0.0075, 0.052, w);
    float mast = soft_box(d.x, -0.0006, 0.0006, w) * soft_box(d.y, 0.0, 0.066, w)
        * min(1.0, 0.0012 / w);
    vec3 dark = mix(sea_fog(ray), shadow_colour * 0.25 + zenith_colour * 0.1, 0.92 - 0.15 * fog);
    vec3 cloth = mix(dark, ambient_colour * 1.1
        + sun_colour * 0.5 * mix(accent_a, vec3(1.0), 0.6), 0.55);
    vec3 light = mix(behind, cloth, saturate(main_sail + jib) * 0.94);
    light = mix(light, dark, max(hull, mast));
    float lamp = 0.000006 / (dot(d - vec2(0.0, 0.067), d - vec2(0.0, 0.067)) + 0.000004);
    light += vec3(1.0, 0.75, 0.45) * lamp * night * 0.7;
    return mix(behind, light, has_boat);
}

// A handful of birds that glide and beat their wings with the clock.
float birds(vec3 ray) {
    float b = bearing(ray), rise = rise_of(ray);
    float cover = 0.0;
    for (float i = 0.0; i < 6.0; i++) {
        float chance = fract(place.w * 13.0 + i * 0.618);
        vec2 at = vec2(-0.3 + 0.6 * place.z + 0.07 * i + 0.05 * sin(0.3 * time + 5.0 * chance)
                           + 0.012 * (time - 110.0) * (place.x > 0.5 ? 1.0 : -1.0),
                       0.2 + 0.03 * sin(1.9 * i + 0.4 * time) + 0.02 * chance);
        at.x = mod(at.x + 1.2, 2.4) - 1.2;
        float size = 0.016 + 0.012 * chance;
        vec2 d = (vec2(b, rise) - at) / size;
        float span = abs(d.x);
        float stroke = 0.3 * sin(5.0 * time + 9.0 * chance)
            * smoothstep(0.2, 0.7, fract(0.11 * time + chance));
        float wing = d.y - span * (0.28 + stroke) + span * span * (0.3 + 0.5 * stroke);
        float thin = 0.09 * (1.15 - span) + 0.02;
        float w = pixel_angle / size;
        cover = max(cover, smoothstep(thin + w, thin - w, abs(wing))
            * smoothstep(1.0 + w, 1.0 - w, span)
            * min(1.0, 2.0 * thin / w));
    }
    return cover * has_birds * (1.0 - night) * (1.0 - rain);
}

// ---- near things -------------------------------------------------------------------------------

float sea_mark_away() { return mix(34.0, 60.0, variation.y); }

// Metres from where what is close by meets the water.
vec2 from_sea_mark(vec3 ray, float height) {
    float away = sea_mark_away();
    float at = beside(variation.x, 0.07, 0.13, variation.z);
    return vec2(bearing(ray) - at, rise_of(ray) + height / away) * away;
}

// What floats or stands close by, on both sides of the horizon. Long lenses and thick air, in which
// little else is seen, always have one.
vec3 sea_mark(vec2 d, vec3 ray, vec3 behind, float height, inout float thing) {
    float pick = variation.w * mix(1.0, 0.7, max(smoothstep(2.2, 3.0, focal), step(0.9, fog)));
    float w = pixel_angle * sea_mark_away();
    float shown = 1.0 - smoothstep(9.0, 14.0, height);
    vec3 dark = mix(shadow_colour * 0.12 + ambient_colour * 0.05, sea_fog(ray), 0.02 + 0.1 * fog);
    float side = d.x * (variation.x > 0.5 ? -1.0 : 1.0);
    vec3 rim = sun_colour * 0.3 * (1.0 - night) + moonlight * 0.14 * night;

    float buoy = shown * step(pick, 0.4);
    float lean = 0.1 * sin(0.9 * time + 6.0 * variation.y) * (0.5 + heave);
    vec2 f = d - vec2(0.0, 0.22 * sin(0.8 * time) * (0.5 + heave));
    f = mat2(cos(lean), -sin(lean), sin(lean), cos(lean)) * f;
    float up = f.y, broad = mix(0.62, 0.2, saturate((up - 0.7) / 2.0));
    float body = soft_box(f.x, -1.15, 1.15, w) * soft_box(up, -0.35, 0.7, w);
    // A lattice: two legs, two rungs.
    float legs = soft_box(abs(f.x), broad - 0.1, broad + 0.03, w);
    legs = max(legs, soft_box(abs(up - 1.7) , 0.45, 0.58, w) * step(abs(f.x), broad));
    body = max(body, legs * soft_box(up, 0.6, 2.75, w));
    body = max(body, soft_box(f.x, -0.3, 0.3, w) * soft_box(up, 2.7, 3.0, w));
    // Where there are birds, one sits on its side.
    vec2 bird = (f - vec2(-0.75, 0.95)) * vec2(0.6, 1.0) + vec2(0.0, 0.25 * f.x + 0.19);
    body = max(body, has_birds * saturate((0.16 - length(bird)) / w + 0.5));
    vec3 light = mix(behind, dark + rim * smoothstep(0.2, 1.1, side * 1.4), body * buoy);
    float spot = dot(f - vec2(0.0, 3.2), f - vec2(0.0, 3.2));
    float blink = 0.25 + 0.75 * smoothstep(0.1, 0.7, sin(1.3 * time + 6.0 * variation.z));
    light += mix(accent_a, vec3(1.0, 0.4, 0.2), 0.3) * buoy * blink
        * smoothstep(0.0, 0.4, night + 0.6 * fog)
        * (0.05 / (spot + 0.03) + 0.1 / (spot + 1.0)) * smoothstep(12.0, 2.0, spot);

    float rock = shown * step(0.4, pick) * step(pick, 0.7);
    float back = 0.9 + value_noise(vec2(0.45 * d.x + 9.0 * variation.x, 3.0)) * 3.2
        - 3.6 * square(d.x / (3.0 + 3.0 * variation.z));
    float ridge = back + value_noise(vec2(1.7 * d.x, 9.0 * variation.y)) * 0.8;
    float wash = 0.14 * sin(0.9 * time + d.x) - 0.1;
    float stone = saturate((ridge - d.y) / w + 0.5) * saturate((d.y - wash) / w + 0.5);
    float grain = value_noise(d * vec2(1.3, 2.1) + 0.6 * d.yx);
    vec3 face = dark * (0.5 + grain) + rim * smoothstep(0.35, 0.85, grain)
        * exp(-1.3 * max(back + 0.4 - d.y, 0.0)) * saturate(0.5 + 0.3 * side);
    light = mix(light, face, stone * rock);
    // Water breaks around it.
    float surf = exp(-square((d.y - wash) / 0.13)) * smoothstep(-0.5, 0.4, ridge)
        * smoothstep(0.35, 0.7, value_noise(vec2(1.6 * d.x - 0.5 * time, 1.5 * time)));
    light += (rim * 1.4 + ambient_colour * 0.35) * surf * rock * (0.6 + 0.5 * heave);
    thing += 31.0 * step(0.5, max(stone * rock, body * buoy));
    return light;
}
