#version 330
// Open water under a wide sky: waves, a sun or moon with its path of glitter, clouds, and what the
// place has: an island, sea stacks, a sailing boat, a lighthouse, birds.
#include "common.glsl"
#include "sky.glsl"
#include "weather.glsl"

#define has_island place_features[0]
#define has_stacks place_features[1]
#define has_boat place_features[2]
#define has_lighthouse place_features[3]
#define has_birds place_features[4]

// ---- sky ---------------------------------------------------------------------------------------

vec3 sea_fog(vec3 ray) {
    return clear_sky(normalize(vec3(ray.x, 0.012, ray.z)));
}

// ---- things on the horizon ---------------------------------------------------------------------

// Angle of a direction around the vertical, 0 straight ahead.
float bearing(vec3 ray) { return atan(ray.x, ray.z); }

// Shape of land far away at a bearing: its height as a slope.
float island_height(float b) {
    float middle = (place.x > 0.5 ? 0.3 : -0.38) + 0.3 * (place.y - 0.5);
    float across = (b - middle) / (0.32 + 0.25 * place.z);
    float hill = max(1.0 - across * across, 0.0);
    return has_island * hill * (0.02 + 0.075 * fbm(vec2(b * 6.0 + 30.0 * place.w, 3.0), 5)) * 1.1;
}

float stack_height(float b) {
    float tallest = 0.0;
    for (float i = 0.0; i < 3.0; i++) {
        float chance = fract(place.z * 7.0 + i * 0.618);
        float middle = (place.y > 0.5 ? -0.22 : 0.3) + 0.115 * i + 0.05 * chance;
        float broad = 0.02 + 0.018 * chance;
        float rough = 0.006 * (fbm(vec2(b * 70.0, i * 9.0), 3) - 0.5);
        float d = abs(b - middle + rough) / broad;
        tallest = max(tallest,
            (0.05 + 0.06 * chance) * (1.0 - smoothstep(0.1 + 0.35 * chance, 1.05, d))
            * (0.72 + 0.5 * fbm(vec2(b * 26.0, 2.0 + 9.0 * i), 3)));
    }
    return has_stacks * tallest;
}

// Land and what stands on it, painted over the sky.
vec3 shore(vec3 ray, vec3 sky, inout float thing) {
    float b = bearing(ray), rise = ray.y / max(length(ray.xz), 1e-3);
    float w = pixel_angle;
    vec3 haze = sea_fog(ray);
    vec3 far_land = mix(haze, zenith_colour * 0.35 + shadow_colour * 0.15, 0.62 - 0.45 * fog);
    vec3 near_land = mix(haze, shadow_colour * 0.3 + zenith_colour * 0.12, 0.88 - 0.4 * fog);
    float land = island_height(b);
    float cover = smoothstep(land + w, land - w, rise) * step(1e-4, land);
    vec3 light = mix(sky, far_land, cover);
    float rock = stack_height(b);
    float rock_cover = smoothstep(rock + w, rock - w, rise) * smoothstep(0.0, 0.004, rock);
    float face = 0.75 + 0.5 * fbm(vec2(b * 120.0, rise * 60.0), 3);
    light = mix(light, near_land * face, rock_cover);
    thing += 3.0 * step(0.5, cover) + 5.0 * step(0.5, rock_cover);
    return light;
}

// A tapered tower on a rock with a lamp that turns with the music's clock.
vec3 lighthouse(vec3 ray, vec3 behind) {
    float b = bearing(ray), rise = ray.y / max(length(ray.xz), 1e-3);
    float at = (place.x > 0.5 ? 0.34 : -0.36) + 0.2 * (place.y - 0.5);
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
    vec3 dark = mix(sea_fog(ray), shadow_colour * 0.25 + zenith_colour * 0.1, 0.9 - 0.35 * fog);
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
    float b = bearing(ray), rise = ray.y / max(length(ray.xz), 1e-3);
    float at = (place.x > 0.5 ? -0.16 : 0.14) + 0.35 * (place.w - 0.5) + 0.0022 * time;
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
    vec3 dark = mix(sea_fog(ray), shadow_colour * 0.25 + zenith_colour * 0.1, 0.88 - 0.35 * fog);
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
    float b = bearing(ray), rise = ray.y / max(length(ray.xz), 1e-3);
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

// Where a storm at night lets the moon through: a bright band low under the clouds.
vec3 storm_break(vec3 ray) {
    float aside = bearing(ray) - atan(sun_direction.x, sun_direction.z);
    float band = exp(-square((max(ray.y, 0.0) - 0.035) / 0.06)) + 0.35 * exp(-5.0 * ray.y);
    float torn = 0.55 + 0.9 * value_noise(vec2(7.0 * aside + 0.03 * time, 5.0 + 14.0 * ray.y));
    return (light_colour * 0.16 + horizon_colour) * night * storm * band * torn
        * (0.25 + 0.75 * exp(-square(aside / 0.55)));
}

vec3 upper_half(vec3 ray, inout float thing) {
    vec3 light = clear_sky(ray);
#ifdef WITH_STARS
    light += mix(light_colour, vec3(0.8, 0.9, 1.0), 0.5) * stars(ray) * night * 1.2;
#endif
    vec4 veil = clouds(ray);
    light += sun_disc(ray) * (1.0 - 0.92 * veil.w) * (1.0 - storm);
    light = mix(light, veil.xyz, veil.w);
    // Sheet lightning far behind the clouds, slow enough to be weather rather than a flash.
    float sheet = storm * onset * smoothstep(0.55, 0.8, value_noise(vec2(0.7 * time, 4.0)));
    light += light_colour * 0.16 * sheet * exp(-3.0 * ray.y)
        * exp(-8.0 * square(bearing(ray) - 0.8 * (value_noise(vec2(0.35 * time, 8.0)) - 0.5)));
    light += storm_break(ray);
    float thick = fog * fog * exp(-6.0 * max(ray.y, 0.0)) * 0.75 + 0.1 * fog;
    light = mix(light, sea_fog(ray), thick);
    light = shore(ray, light, thing);
    light = lighthouse(ray, light);
    light = boat(ray, light);
    light *= 1.0 - 0.85 * birds(ray);
    return light;
}

// ---- water -------------------------------------------------------------------------------------

const float WAVE_HEIGHT = 2.2;

// Swell: how high the waves go, in metres.
float swell() {
    float wild = 0.42 + 0.3 * motion + 0.45 * wind + 0.25 * storm;
    return wild * (0.7 + 0.7 * heave * (0.5 + 0.5 * motion) + 0.25 * energy);
}

// Sum of sharp-crested waves, each dragging the next ones along (after Alexander Alekseev's and
// afl_ext's public oceans). Waves much shorter than `footprint` metres are left out; what they
// would have added to the slope's variance is returned in w. x: height -0.3 to 1, yz: slope.
vec4 waves(vec2 p, int octaves, float footprint) {
    float amplitude = 1.0, wave_number = 0.2, pace = 1.1, turn = 0.5 + 6.28 * place.x;
    float height = 0.0, total = 0.0, lost = 0.0;
    vec2 slope = vec2(0.0);
    for (int i = 0; i < octaves; i++) {
        vec2 along = vec2(sin(turn), cos(turn));
        float phase = dot(p, along) * wave_number + time * pace + 3.1 * float(i);
        float crest = exp(sin(phase) - 1.0);
        float push = crest * cos(phase);
        float seen = 1.0 / (1.0 + square(square(footprint * wave_number * 0.55)));
        height += amplitude * crest * seen;
        slope += along * (push * wave_number * amplitude * seen);
        lost += square(wave_number * amplitude) * (1.0 - seen) * 0.1;
        total += amplitude;
        p -= along * (push * amplitude * 0.62 / (1.0 + 0.25 * float(i)));
        amplitude *= 0.7;
        wave_number *= 1.43;
        pace *= 1.18;
        turn += 2.39996 + 0.2 * sin(float(i) * 2.3 + 6.28 * place.y);
    }
    return vec4(height / total - 0.3, slope / total, lost / (total * total));
}

vec3 water(vec3 origin, vec3 ray, out float distance) {
    float amplitude = WAVE_HEIGHT * swell();
    // Walk from where the ray meets the highest crest down to where the lowest trough lies.
    float top = 0.55 * amplitude, bottom = -0.3 * amplitude;
    float t = max((top - origin.y) / ray.y, 0.0);
    float last = min((bottom - origin.y) / ray.y, 4000.0);
    float pace = (last - t) / 11.0;
    for (int i = 0; i < 8; i++) {
        vec3 p = origin + ray * t;
        float gap = p.y - amplitude * waves(p.xz, 5, t * pixel_angle).x;
        if (gap < 0.01 || t > last) break;
        t += clamp(gap / -ray.y * 0.6, 0.35 * pace, 2.2 * pace);
    }
    // The last step may have gone too far or not far enough: two steps onto the surface itself.
    for (int i = 0; i < 2; i++) {
        vec3 p = origin + ray * t;
        float gap = p.y - amplitude * waves(p.xz, 5, t * pixel_angle).x;
        t += clamp(gap / -ray.y * 0.7, -pace, pace);
    }
    t = clamp(t, 0.0, last);
    distance = t;
    vec3 p = origin + ray * t;
    float footprint = t * pixel_angle / max(sqrt(-ray.y), 0.05);
    vec4 wave = waves(p.xz, 13, footprint);
    float height = wave.x;
    vec2 slope = wave.yz * amplitude;
    float rough = 0.0025 + 1.6 * amplitude * amplitude * wave.w;
    vec3 normal = normalize(vec3(-slope.x, 1.0, -slope.y));
    vec3 mirror = reflect(ray, normal);
    mirror.y = abs(mirror.y) + 0.02 + 0.4 * sqrt(rough) * 0.4;
    mirror = normalize(mirror);
    float facing = saturate(dot(-ray, normal));
    float fresnel = 0.02 + 0.98 * pow(1.0 - facing, 5.0) / (1.0 + 6.0 * sqrt(rough));

    vec3 sky = clear_sky(mirror);
    // Overcast skies mirror grey; single clouds are lost in the ripples.
    sky = mix(sky, mix(zenith_colour, horizon_colour, 0.5), 0.45 * cloud);
    vec3 deep = mix(zenith_colour * 0.2, shadow_colour * 0.35, 0.5)
        + ambient_colour * vec3(0.01, 0.035, 0.04);
    vec3 through = mix(vec3(0.05, 0.32, 0.3), accent_b, 0.5)
        * (ambient_colour * 0.5 + sun_colour * 0.28);
    float crest = saturate(height * 1.7 + 0.12);
    float against = 0.35 + 0.65 * pow(saturate(dot(ray, sun_direction) * 0.5 + 0.5), 3.0);
    vec3 light = deep + through * crest * crest * 0.6 * against;
    light = mix(light, sky, fresnel);

    // The sun's path: a wide lobe that grows with the waves too small to see.
    vec3 half_way = normalize(sun_direction - ray);
    float lobe = 1.0 - square(dot(normal, half_way));
    float width = rough + 0.0012;
    float glitter = exp(-lobe / max(1.0 - lobe, 0.05) / width) / (width * 26.0);
    float spark = 0.75 + 0.5 * onset + 0.25 * beat;
    light += sun_colour * min(glitter * 0.5, 3.6) * spark * mix(1.0, 1.6, night)
        * (1.0 - 0.85 * storm);

    // Foam where crests break, streaked by the wind.
    float fold = smoothstep(0.34 - 0.24 * wind, 0.52 - 0.16 * wind, height);
    float lace = fbm(p.xz * vec2(1.1, 0.7) + 0.3 * vec2(time, -time) * wind, 4);
    float foam = fold * smoothstep(0.42, 0.72, lace) * saturate(0.25 + 1.1 * wind)
        / (1.0 + 0.02 * t);
    vec3 white = ambient_colour * 1.1 + sun_colour * 0.35 + light_colour * 0.12 * night * storm;
    light = mix(light, white, 0.75 * foam);
    // The break in the clouds lies on the water below it.
    light += storm_break(vec3(mirror.x, 0.6 * mirror.y, mirror.z)) * fresnel;

    float air = 1.0 - exp(-t
        * ((0.0011 + 0.007 * fog * fog + 0.0015 * rain) / (1.0 + 0.02 * camera_position.y)));
    return mix(light, sea_fog(ray), air);
}

void main() {
    vec3 ray = view_ray();
    float thing = 0.0;
    vec3 light;
#ifdef ABOVE_HORIZON
    light = upper_half(ray, thing);
#else
    float distance;
    // The camera floats: no crest comes over it.
    vec3 origin = camera_position;
    origin.y = max(origin.y, 0.55 * WAVE_HEIGHT * swell() + 0.9);
    light = water(origin, ray, distance);
    thing = 100.0 + 7.0 * log(distance);
    // The last pixels before the horizon melt into it.
    light = mix(sea_fog(ray), light, smoothstep(0.0, 3.0 * pixel_angle, -ray.y));
#endif
#ifdef WITH_RAIN
    vec3 drop = mix(sea_fog(ray), light_colour * 0.3, 0.3) * 0.9;
    light += drop * rain_streaks(ray) * (0.4 + 0.4 * energy);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.2 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(ray)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
