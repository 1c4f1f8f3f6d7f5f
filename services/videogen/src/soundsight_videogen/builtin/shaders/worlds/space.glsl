#version 330
// Space: a ringed giant, a nebula with a young star, a plain of ice under a world, or a belt of
// stones. Spheres, rings and the plain are met by formula; each pixel shades one body.
#include "common.glsl"
#include "worlds/space_place.glsl"
#include "worlds/space_sky.glsl"
#include "worlds/space_bodies.glsl"
#include "worlds/space_matter.glsl"

// The rings as light and cover; the planet's shadow lies across them.
vec4 ring_light(vec3 ray, vec2 hit) {
    float pixel = pixel_angle * hit.y / max(abs(dot(ray, planet_axis)), 0.06);
    float profile = ring_profile(hit.x, pixel) * step(0.0, hit.y);
    vec3 at = ray * hit.y - planet_centre;
    float past = dot(at, key_light);
    float off = length(at - key_light * past);
    float shadow = past < 0.0 ? smoothstep(0.96, 1.06, off) : 1.0;
    float through = pow(max(dot(ray, star_direction), 0.0), 6.0);
    float lit = 0.5 + 0.5 * abs(dot(planet_axis, key_light)) + 1.1 * through;
    vec3 hue = mix(light_colour, accent_b, 0.25 + abs(fract(hit.x * 1.7) - 0.5));
    vec3 light = hue * star_light * (0.34 * lit * shadow + 0.02) * (0.55 + 0.6 * profile);
    // Ice catches the light on every onset.
    vec2 grid = vec2(dot(at, planet_right), dot(at, planet_toward)) * 40.0 + 0.5 * time;
    vec2 d = fract(grid) - 0.5;
    light += light_colour * step(0.97, hash21(floor(grid))) * exp(-14.0 * dot(d, d))
        * onset * shadow * 1.6 * saturate(0.012 / pixel);
    return vec4(light, profile * 0.92);
}

// Air around the planet, seen just outside its edge.
vec3 air_glow(vec3 ray) {
    float along = dot(planet_centre, ray);
    vec3 off = ray * along - planet_centre;
    float away = length(off);
    float height = max(away - 1.0, 0.0);
    float sunward = dot(off / max(away, 1e-3), key_light);
    float glow = exp(-height * 38.0) * 0.55 + exp(-height * 9.0) * 0.09;
    float part = smoothstep(-0.35, 0.75, sunward);
    float airy = max(is_giant, max(is_belt * step(0.5, place.w), is_plain * has_ring));
    return mix(accent_b, light_colour, 0.3) * glow * (part + 0.12 * rising)
        * (1.0 + 0.3 * beat + 0.8 * rising) * step(0.0, along) * mix(0.25, 1.0, airy);
}

// Dust that streams past, lit by the star.
float drifting_dust(vec3 ray) {
    vec2 slope = ray.xy / max(ray.z, 0.15);
    float sum = 0.0;
    float way = 0.16 * (camera_position.z + 0.9 * time);
    for (int i = 0; i < 3; i++) {
        float part = fract(way + float(i) / 3.0);
        float sheet = floor(way + float(i) / 3.0) * 3.0 + float(i);
        float depth = mix(9.0, 1.2, part);
        vec2 q = slope * depth + camera_position.xy * 0.25 + 5.0 * vec2(hash11(sheet), 0.4);
        vec4 chance = hash24(floor(q * 1.6) + 7.0 * sheet);
        vec2 d = (fract(q * 1.6) - (0.2 + 0.6 * chance.xy)) / 1.6;
        float size = max(0.012 + 0.02 * chance.z, 0.9 * pixel_angle * depth);
        float wanted = step(chance.w, 0.25 + 0.25 * density + 0.3 * fog + 0.4 * max(rain, snow));
        sum += exp(-dot(d, d) / (size * size)) * wanted * square(0.016 / size)
            * smoothstep(0.0, 0.25, part) * smoothstep(1.0, 0.75, part);
    }
    return sum * smoothstep(0.15, 0.4, ray.z);
}

void main() {
    set_place();
    vec3 ray = free_ray();
    vec2 p = sky_map(ray);
    vec4 behind = gas(p);
    vec3 light = behind.xyz;
    float stars = star_layer(p, 17.0, 9.0, 3.0) * 1.6 + star_layer(p + 0.37, 41.0, 6.0, 51.0) * 0.8;
    light += mix(light_colour, vec3(0.85, 0.93, 1.0), 0.5) * stars * behind.w;
    light += comet(p);

    Body body = Body(0.0, 1e4, 0.0, 0.0, vec3(0.0, 0.0, -1.0), vec3(1.0, 0.0, 0.0),
        vec3(0.0, 1.0, 0.0), p, 1.0, 0.01);
    put_planet(body, ray);
    put_moons(body, ray);
    put_stones(body, ray);
#ifdef ABOVE_HORIZON
    put_ridges(body, ray);
#else
    put_plain(body, ray);
#endif

    // Rings behind the planet are covered by it, rings before it cover it.
    vec2 hit = ring_hit(vec3(0.0), ray);
    vec4 ring = ring_light(ray, hit);
    vec3 at = ray * body.distance;
    vec2 shadow_hit = ring_hit(at, key_light);
    float on_planet = step(0.0, body.distance) * step(0.5, body.cover);
    float ring_shadow = 1.0 - 0.8 * on_planet * step(0.0, shadow_hit.y)
        * ring_profile(shadow_hit.x, 0.2);

    float ring_first = step(hit.y, body.distance) * step(-0.5, body.distance);
    float open = 1.0 - body.cover;
    bool on_ground = body.thing > 38.0 && body.thing < 55.0;
    light = mix(light, ring.xyz, ring.w);
    light += star_glow(ray, open * (1.0 - 0.6 * ring.w));
    // (the rings' near half lies before it)
    light += air_glow(ray) * step(-0.5, body.distance)
        * (1.0 - ring.w * step(hit.y, length(planet_centre)));
    vec3 solid = shade(body, ray, on_ground ? ground_light : key_light, ring_shadow);
    solid = mix(solid, ring.xyz, ring.w * ring_first);
    light = mix(light, solid, body.cover);

    // A breath of dust lies on the plain.
    float low = is_plain * exp(-abs(ray.y) * 14.0) * (0.12 + 0.5 * fog);
    light = mix(light, (behind.xyz + fill_light) * 1.3 + star_light * 0.05
        * pow(max(dot(ray, star_direction), 0.0), 4.0) * rising, low);

    float dust = drifting_dust(ray);
    light += mix(accent_b, light_colour, 0.6) * dust * (0.1 + 0.12 * energy + 0.25 * onset)
        * (0.4 + 0.6 * pow(max(dot(ray, star_direction), 0.0), 2.0));
    scene = vec4(max(light, 0.0), body.cover > 0.5 ? body.thing : 0.0);
}
