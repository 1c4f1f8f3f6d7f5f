#version 330
// The mountains: ranges behind ranges round a valley that holds a sea of cloud, a snowfield or a
// lake; a knife edge or a slope with pines close by; summits in the last light, aurora at night.
#include "common.glsl"
#include "sky.glsl"
#include "weather.glsl"
#include "worlds/terrain.glsl"

#define has_mist place_features[0]
#define has_eagle place_features[1]
#define has_aurora place_features[2]
#define has_banner place_features[3]
// The last of them is read in every picture, so that the driver keeps the whole array.
#define has_pines place_features[4]

float kind() { return floor(place.x * 3.9999); }
float is_edge() { return kind() == 0.0 ? 1.0 : 0.0; }
float is_cloud() { return kind() == 1.0 ? 1.0 : 0.0; }
float is_face() { return kind() == 2.0 ? 1.0 : 0.0; }
float is_pass() { return kind() == 3.0 ? 1.0 : 0.0; }

// The level of the valley's floor: the top of the cloud, the snow or the lake.
float valley() { return is_edge() > 0.5 ? -95.0 + 12.0 * heave : is_cloud() > 0.5
    ? -30.0 + 7.0 * heave : 0.0; }

#include "worlds/mountains_rings.glsl"
#include "worlds/mountains_near.glsl"
#include "worlds/mountains_valley.glsl"

void main() {
    vec3 ray = view_ray(), view = ray;
    vec3 origin = camera_position;
    // However long a clip, the camera stays inside the first ring.
    origin.z /= 1.0 + origin.z / 900.0;
    origin.y += is_edge() * (edge_line(origin.z).y + 1.2);
    vec3 air = far_air(ray);
    float floor_t = ray.y < 0.0 ? (valley() - origin.y) / ray.y : FAR;
    float near_t = meet_near(origin, ray, floor_t);
    float haze = (0.00015 + 0.0007 * fog * fog + 0.0004 * (rain + storm) + 0.0003 * snow);

    // A lake shows the ranges upside down.
    float lake = 0.0;
#ifdef BELOW_HORIZON
    vec2 shore = origin.xz + ray.xz * floor_t - MIDDLE;
    float on_floor = length(shore) < ring_radius(0.0) ? 1.0 : 0.0;
    lake = is_pass() * on_floor;
    vec3 p = origin + ray * floor_t;
    vec3 seen_from = origin;
    if (lake > 0.5) {
        ray = lake_mirror(p, ray, floor_t);
        seen_from.y = -origin.y;
    }
    Range met = meet_range(seen_from, ray, on_floor > 0.5 && lake < 0.5 ? 0.0 : FAR);
#else
    Range met = meet_range(origin, ray, FAR);
#endif
    float thing = 0.0;
    vec3 light = sky_light(ray, lake);
    for (int once = 0; once < (met.t < FAR ? 1 : 0); once++) {
        light = mix(face_light(met, ray), air, 1.0 - exp(-met.t * haze));
        thing = 10.0 + 7.0 * met.ring;
    }
    vec3 mist = mist_light(ray, air);
    light = mix(light, mist, met.veil);
    light = mix(light, mist * 0.8 + sunlight() * 0.5 * snow_colour(), met.spume * has_banner);
#ifdef BELOW_HORIZON
    for (int once = 0; once < int(on_floor); once++) {
        light = floor_light(p, view, floor_t, light, air, haze);
        thing = 60.0;
    }
#endif
    for (int once = 0; once < (near_t < FAR ? 1 : 0); once++) {
        light = mix(near_light(origin + view * near_t, view, near_t), air,
            1.0 - exp(-near_t * (haze * 3.0)));
        // Where the ground goes down into cloud it goes softly.
        float under = origin.y + view.y * near_t - valley();
        light = mix(light, mist, exp(-max(under, 0.0) / 9.0) * (1.0 - is_pass() - is_face()));
        light = mix(light, mist, smoothstep(0.6 * NEAR_M, NEAR_M, near_t));
        thing = 80.0 + 3.0 * log(near_t);
    }
    float reach = min(near_t, floor_t);
    float dark = pines(origin, view, reach);
    vec3 pine = shadow_colour * 0.12 + ambient_colour * 0.035;
    light = mix(light, mix(pine, air, 0.05 + 0.25 * fog), dark);
#ifdef WITH_RAIN
    light += (air * 0.4 + light_colour * 0.12) * rain_streaks(view)
        * (0.4 + 0.4 * energy + 0.4 * onset);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.2 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(view)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
