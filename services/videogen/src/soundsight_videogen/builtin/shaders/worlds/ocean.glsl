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
// Read in every picture, so that the driver keeps the whole array.
#define has_birds place_features[4]

#include "worlds/ocean_sky.glsl"
#include "worlds/ocean_things.glsl"
#include "worlds/ocean_water.glsl"

vec3 upper_half(vec3 ray, inout float thing) {
    vec3 light = sea_sky(ray);
#ifdef WITH_STARS
    light += starlight(ray) * night;
#endif
    vec4 veil = clouds(ray);
#ifdef WITH_SUN
    light += sun_disc(ray) * (1.0 - 0.92 * veil.w) * (1.0 - storm);
#else
    light += moon_disc(ray) * (1.0 - 0.75 * veil.w);
    // Thin cloud before the moon takes its light.
    float toward = max(dot(ray, sun_direction), 0.0);
    toward = square(square(toward));
    veil.xyz += moonlight * (0.5 * veil.w * (1.0 - veil.w) * square(toward) + 0.01 * toward)
        + glow * 0.35 * exp(-7.0 * ray.y) * toward;
#endif
    light = mix(light, veil.xyz, veil.w);
    // Sheet lightning far behind the clouds, slow enough to be weather rather than a flash.
    float sheet = storm * onset * smoothstep(0.55, 0.8, value_noise(vec2(0.7 * time, 4.0)));
    light += light_colour * 0.16 * sheet * exp(-3.0 * ray.y)
        * exp(-8.0 * square(bearing(ray) - 0.8 * (value_noise(vec2(0.35 * time, 8.0)) - 0.5)));
    light += storm_break(ray);
    // Loops, because drivers that run both sides of a branch still leave a loop early.
    int low = rise_of(ray) < HIGHEST_BANK ? 1 : 0;
    for (int i = 0; i < low; i++) {
        vec4 bank = cloud_bank(ray, light);
        light = mix(light, bank.xyz, bank.w);
    }
    // Fog lies in sheets on the sea; over them the sky is darker.
    int foggy = fog > 0.3 ? 1 : 0;
    for (int i = 0; i < foggy; i++) {
        float sheets = 0.7 + 0.6 * value_noise(
            vec2(2.6 * bearing(ray) + 0.03 * time, 26.0 * ray.y));
        float thick = fog * fog * exp(-9.0 * max(ray.y, 0.0)) * 0.75 * sheets + 0.1 * fog;
        light = mix(light, sea_fog(ray), saturate(thick));
    }
    int near = rise_of(ray) < HIGHEST ? 1 : 0;
    for (int i = 0; i < near; i++) {
        light = shore(ray, light, thing);
        light = lighthouse(ray, light);
        light = boat(ray, light);
    }
    light *= 1.0 - 0.85 * birds(ray);
    return light;
}

void main() {
    describe_sky();
    vec3 ray = view_ray();
    float thing = 0.0;
    // The camera floats: no crest comes over it.
    vec3 origin = camera_position;
    origin.y = max(origin.y, 0.55 * WAVE_HEIGHT * swell() + 0.9);
    vec3 light;
#ifdef ABOVE_HORIZON
    light = upper_half(ray, thing);
#else
    float distance;
    light = water(origin, ray, distance);
    thing = 100.0 + 7.0 * log(distance);
    // The last pixels before the horizon melt into it.
    light = mix(sea_fog(ray), light, smoothstep(0.0, 3.0 * pixel_angle, -ray.y));
#endif
    vec2 mark = from_sea_mark(ray, origin.y);
    int marked = abs(mark.x) < 8.0 && abs(mark.y - 2.5) < 4.0 && origin.y < 14.0 ? 1 : 0;
    for (int i = 0; i < marked; i++) light = sea_mark(mark, ray, light, origin.y, thing);
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
