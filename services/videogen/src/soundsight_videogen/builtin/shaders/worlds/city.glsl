#version 330
// A street canyon in a city of blocks: boxes on a grid, walked cell by cell (Amanatides and Woo),
// with shops, neon, lamps and traffic, wet asphalt that mirrors them, and haze.
#include "common.glsl"
#include "weather.glsl"
#include "worlds/city_blocks.glsl"
#include "worlds/city_light.glsl"
#include "worlds/city_fronts.glsl"
#include "worlds/city_street.glsl"

#if defined(BELOW_HORIZON) && defined(WITH_WET)
const int BOUNCES = 2;
#else
const int BOUNCES = 1;
#endif

void main() {
    vec3 origin = camera_position, ray = view_ray();
    vec3 view = ray;
    vec3 light = vec3(0.0);
    float share = 1.0, travelled = 0.0, thing = 0.0;
    // The second round follows the mirror image in wet ground.
    for (int bounce = 0; bounce < BOUNCES; bounce++) {
        Hit hit = trace(origin, ray, bounce == 0 ? 46 : 18);
        if (bounce == 0) {
            // Numbers far enough apart for lots, tiers, sides and kinds of things.
            thing = float(hit.kind) * 9.0 + 3.0 * dot(hit.normal, vec3(1.0, 5.0, 3.0))
                + 40.0 * hash21(hit.lot + hit.box.low.y);
#ifdef WITH_WET
            // What wet ground mirrors is full of edges: all its pixels count as edges.
            if (hit.kind == GROUND) thing = 60.0 * mod(gl_FragCoord.x + gl_FragCoord.y, 2.0);
#endif
        }
        float t = travelled + hit.t;
        vec3 p = origin + ray * hit.t;
        vec3 air = haze(ray);
        vec3 seen = air;
        float mirror = 0.0;
        vec3 next_ray = ray;
        if (hit.kind == HOUSE) seen = house_light(p, ray, hit, t);
        if (hit.kind == SIGN) seen = sign_light(p, hit, t);
        if (hit.kind == CAR) seen = car_light(p, ray, hit);
#if defined(ABOVE_HORIZON) || defined(WITH_WET)
        if (hit.kind == SKY) seen = sky_light(ray);
#endif
#ifdef BELOW_HORIZON
        if (hit.kind == GROUND) seen = ground_light(p, ray, t, mirror, next_ray);
#endif
        float veiled = hit.kind == SKY ? 0.0 : fog_share(t);
        float blocked = post_cover(origin, ray, hit.t);
        vec3 lamps = lamp_light(origin, ray, hit.t);
#if defined(BELOW_HORIZON) || defined(WITH_LOW_CAMERA)
        lamps += car_lights(origin, ray, hit.t);
#endif
        vec3 post = lamp_colour() * 0.02 + ambient_colour * 0.05;
        seen = mix(seen * (1.0 - mirror), post, blocked);
        light += share * (mix(seen, air, veiled) + lamps);
        share *= mirror * (1.0 - veiled) * (1.0 - blocked);
        if (share < 0.02) break;
        origin = p + vec3(0.0, 0.02, 0.0);
        ray = next_ray;
        travelled = hit.t;
    }
#ifdef WITH_RAIN
    vec3 drop = mix(haze(view) * 1.6 + ambient_colour, light_colour * 0.35, 0.35) + accent_b * 0.06;
    light += drop * rain_streaks(view) * (0.55 + 0.5 * energy);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.25 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(view)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
