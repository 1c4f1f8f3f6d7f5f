#version 330
// The desert under a large low sun: dunes with one side in light, or a salt flat with mirrors, a
// road, towers of red rock. Blown sand, far hills in haze, the Milky Way at night.
#include "common.glsl"
#include "sky.glsl"
#include "weather.glsl"
#include "worlds/terrain.glsl"

#define has_towers place_features[0]
#define has_poles place_features[1]
#define has_caravan place_features[2]
#define has_pools place_features[3]
// The last of them is read in every picture, so that the driver keeps the whole array.
#define has_tree place_features[4]

#include "worlds/desert_ground.glsl"
#include "worlds/desert_things.glsl"

const float REACH_M = 1800.0;

// How large the sun is drawn, radians: huge when it is low.
float sun_size() {
    float low = 1.0 - smoothstep(0.1, 0.5, sun_direction.y) * (1.0 - night);
    return mix(0.024, mix(0.075, 0.045, night), low);
}

// The sky with everything in it. Hills stand before it; see `distance_light`.
vec3 sky_light(vec3 ray) {
    vec3 light = clear_sky(ray);
    vec4 veil = streaks(ray);
#ifdef WITH_STARS
    vec2 milky = milky_way(ray);
    vec3 star = mix(light_colour, vec3(0.8, 0.9, 1.0), 0.5);
    light += night * (star * stars(ray) * (1.0 + 1.5 * milky.y)
        + mix(star, accent_a, 0.35) * 0.085 * milky.x * (1.0 + 0.25 * energy));
#endif
    light += large_sun(ray, sun_size()) * (1.0 - 0.85 * veil.w)
        * (1.0 - storm) * (1.0 - 0.4 * fog);
    return mix(light, veil.xyz, veil.w);
}

// Sheet lightning behind the dust, slow enough to be weather rather than a flash.
vec3 lightning(vec3 ray) {
    float sheet = storm * onset * smoothstep(0.5, 0.75, line_noise(0.7 * time + 4.0));
    return light_colour * 0.17 * sheet * exp(-5.0 * max(ray.y, 0.0))
        * exp(-7.0 * square(bearing(ray) - 1.2 * (line_noise(0.35 * time + 8.0) - 0.5)));
}

// Everything beyond the ground.
vec3 beyond(vec3 ray, inout float thing) {
    vec3 light = sky_light(ray) + lightning(ray);
    if (rise_of(ray) < 0.11) {
        light = distance_light(ray, light, thing);
    }
    if (storm > 0.5) {
        vec4 wall = dust_wall(ray, bearing(ray), rise_of(ray));
        light = mix(light, wall.xyz + 0.5 * lightning(ray), wall.w);
    }
    float thick = fog * fog * exp(-9.0 * ray.y) * 0.8 + 0.06 * fog;
    return mix(light, far_air(ray), thick);
}

// What a mirror of water shows: less than there is, which nobody sees.
vec3 mirrored(vec3 ray) {
    vec4 veil = streaks(ray);
    vec3 sun = large_sun(ray, sun_size()) * (1.0 - 0.85 * veil.w) * (1.0 - storm);
    vec3 light = mix(clear_sky(ray) + sun, veil.xyz, veil.w);
    float hill = salt_hills(bearing(ray)), rise = rise_of(ray);
    vec3 dark = mix(far_air(ray), mix(shadow_colour * 0.5, zenith_colour, 0.5), 0.55 - 0.45 * fog);
    return mix(light, dark, smoothstep(hill + 0.004, hill - 0.004, rise));
}

vec3 ground_light(vec3 p, vec3 ray, float t, vec3 air, vec3 dune) {
    float foot = t * pixel_angle / max(sqrt(abs(ray.y)), 0.2);
    float e = max(0.15, 1.1 * t * pixel_angle);
    vec2 slope = vec2(dunes(p.xz + vec2(e, 0.0), t).x, dunes(p.xz + vec2(0.0, e), t).x) - dune.x;
    slope = slope / e + ripples(p.xz, foot) * (1.0 - 0.85 * is_salt()) * (1.0 - 0.5 * is_road());
    vec3 normal = normalize(vec3(-slope.x, 1.0, -slope.y));
    vec3 sand = sand_colour();
    vec3 salt = mix(vec3(0.75), light_colour, 0.75);
    vec3 light = lit_surface(mix(sand, salt, 0.8 * is_salt()), normal, past_crests(dune));
    light += sunlight() * glints(p.xz, ray, t) * (1.0 - wet);
    if (is_salt() > 0.5) {
        float raised = smoothstep(0.0, 0.09 + 0.4 * foot, net(p.xz * 0.42)) - 1.0;
        light *= 1.0 + (0.3 * raised + 0.2) / (1.0 + square(foot * 1.4));
#ifdef BELOW_HORIZON
        float water = has_pools * pools(p.xz, foot);
        vec2 wave = vec2(value_noise(p.xz * vec2(1.7, 0.9) + 0.5 * time),
            value_noise(p.xz * vec2(1.5, 1.1) - 0.4 * time + 9.0)) - 0.5;
        vec3 mirror = ray;
        mirror.xz += wave * 0.02 * (0.4 + wind + heave) / (1.0 + 4.0 * foot);
        mirror.y = abs(ray.y) * (1.0 + 0.2 * wave.x / (1.0 + 4.0 * foot)) + 1e-4;
        vec3 image = mirrored(normalize(mirror));
        light = mix(light, image * 0.93, water * (0.35 + 0.65 * pow(1.0 - saturate(-ray.y), 3.0)));
#endif
    }
    if (is_road() + is_mesas() > 0.5) {
        vec2 plain = scrub(p.xz, foot);
        light = mix(light * plain.x, shadow_colour * 0.15 + ambient_colour * 0.1, 0.75 * plain.y);
    }
    if (is_road() > 0.5) light = road(light, p.xz, normal, foot);
    float blown = running_sand(p.xz, t) * (1.0 - 0.7 * is_salt());
    return mix(light, air * 0.6 + sunlight() * 0.25 * sand, 0.5 * blown);
}

void main() {
    lay_out();
    vec3 ray = view_ray();
    // By day the air over the hot ground wavers.
    float heat = (1.0 - night) * (1.0 - fog) * smoothstep(0.05, 0.5, sun_direction.y + 0.1)
        * exp(-90.0 * abs(ray.y)) * (0.6 + 0.6 * energy);
    float waver = wave(ray.y * 143.0 - 0.8 * time) * wave(ray.x * 7.5 + 0.3 * time);
#ifdef ABOVE_HORIZON
    ray.y = max(ray.y + 0.0016 * heat * waver, 1e-5);
#else
    ray.y = min(ray.y + 0.0016 * heat * waver, -1e-5);
#endif
    vec3 origin = camera_position;
    origin.x *= mix(1.0, 0.1, is_road());
    origin.y += envelope(origin.xz) + 0.75 * SMALL_HEIGHT_M * dune_share();
    float thing = 0.0;
    // In a storm the far ground is lost in dust.
    vec3 air = mix(far_air(ray), sand_colour() * ambient_colour * 0.75 + horizon_colour * 0.18,
        0.8 * storm);
    // Rays that leave the layer of the dunes have nothing to meet.
    float top = (HEIGHT_M * swell() + SMALL_HEIGHT_M) * dune_share();
    float last = ray.y > 0.0 ? min(max(top - origin.y, 0.0) / ray.y, REACH_M) : REACH_M;
    vec2 hit = ground_hit(origin, ray, last);
    float t = hit.x;
    vec3 light = air;
#ifdef ABOVE_HORIZON
    float hits = last > 0.5 && t < 0.999 * last ? 1.0 : 0.0;
    light = beyond(ray, thing);
#else
    const float hits = 1.0;
#endif
    vec3 p = origin + ray * t;
    float haze = (0.001 + 0.0035 * fog * fog + 0.003 * storm + 0.002 * rain)
        / lens_clearing() / (1.0 + 0.012 * camera_position.y);
    if (hits > 0.5) {
        vec3 dune = dunes(p.xz, t);
        light = mix(ground_light(p, ray, t, air, dune), air, 1.0 - exp(-t * haze));
        thing = 40.0 + 5.0 * log(t) + 2.0 * step(CREST, dune.y);
    }
    float reach = hits > 0.5 ? t : FAR;

    Tower tower = meet_tower(origin, ray);
    if (tower.t < reach) {
        light = mix(tower_light(ray, tower), air, 1.0 - exp(-tower.t * haze));
        thing = 90.0 + 54.0 * tower.chance;
        reach = tower.t;
    }
    vec3 dark = shadow_colour * 0.25 + ambient_colour * 0.06;
    float standing = tree(origin, ray, reach);
    if (is_road() * has_poles > 0.5) {
        standing = max(standing, poles(origin, ray, reach));
    }
    light = mix(light, mix(dark, air, 0.12 + 0.3 * fog), standing);

    // Sand in the air over the crests.
    vec3 dust = air * 0.5 + sunlight() * (0.15 + 0.5 * pow(max(dot(ray, sun_direction), 0.0), 3.0));
    float gust = value_noise(vec2(0.02 * p.x + 0.9 * time, 0.05 * p.z));
    light = mix(light, dust, 1.0 - exp(-0.05 * hit.y * (0.3 + wind + 1.2 * heave) * gust));
#ifdef WITH_RAIN
    light += (air * 0.5 + light_colour * 0.1) * rain_streaks(ray)
        * (0.4 + 0.4 * energy + 0.4 * onset) * (1.0 - storm);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.2 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(ray)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
