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

// Light from beyond the near ground.
vec3 behind(vec3 origin, vec3 ray, float floor_t, vec3 air, vec3 mist, float haze,
        inout float thing) {
    vec3 view = ray, seen_from = origin;
    float lake = 0.0, last = FAR;
#ifdef BELOW_HORIZON
    vec3 p = origin + ray * floor_t;
    float on_floor = length(p.xz - MIDDLE) < ring_radius(0.0) ? 1.0 : 0.0;
    // A lake shows the ranges upside down, as seen from below it.
    lake = is_pass() * on_floor;
    if (lake > 0.5) {
        ray = lake_mirror(p, ray, floor_t);
        seen_from.y = -origin.y;
    }
    last = on_floor > lake + 0.5 ? 0.0 : FAR;
#endif
    Range met = meet_range(seen_from, ray, last);
    vec3 light = sky_light(ray, air, lake);
    if (met.t < FAR) {
        light = mix(face_light(met, ray), air, 1.0 - exp(-met.t * haze));
        thing = 10.0 + 7.0 * met.ring;
    }
    light = mix(light, mist, met.veil);
    light = mix(light, mist * 0.8 + sunlight() * 0.5 * snow_colour(), met.spume);
#ifdef BELOW_HORIZON
    if (on_floor > 0.5) {
        light = floor_light(p, view, floor_t, light, air, haze);
        thing = 60.0;
    }
#endif
    return light;
}

void main() {
    vec3 ray = view_ray();
    vec3 origin = camera_position;
    // However long a clip, the camera stays inside the first ring.
    origin.z /= 1.0 + origin.z / 900.0;
    origin.y += is_edge() * (edge_line(origin.z).y + 1.2);
    vec3 air = far_air(ray);
    float floor_t = ray.y < 0.0 ? (valley() - origin.y) / ray.y : FAR;
    float near_t = meet_near(origin, ray, floor_t);
    float haze = (0.00015 + 0.0007 * fog * fog + 0.0004 * (rain + storm) + 0.0003 * snow)
        / lens_clearing();

    float over = max(origin.y + ray.y * near_t - valley(), 0.0);
    bool hidden = near_t < 0.5 * near_reach() && (over > 14.0 || is_pass() + is_face() > 0.5);
    vec3 mist = mist_light(ray, air);
    float thing = 0.0;
    vec3 light = vec3(0.0);
    if (!hidden) {
        light = behind(origin, ray, floor_t, air, mist, haze, thing);
    }
    if (near_t < FAR) {
        vec3 far_light = light;
        light = mix(near_light(origin + ray * near_t, ray, near_t), air,
            1.0 - exp(-near_t * (haze * 3.0)));
        // Where the ground goes down into cloud it goes softly.
        float soft = 1.0 - is_pass() - is_face();
        light = mix(light, mist, 0.7 * exp(-over / 9.0) * soft);
        light = mix(light, far_light, hidden ? 0.0 : exp(-over / 3.0) * soft);
        light = mix(light, mist, smoothstep(0.5 * near_reach(), 0.96 * near_reach(), near_t));
        thing = 80.0 + 3.0 * log(near_t);
    }
    float reach = min(near_t, floor_t);
    float dark = pines(origin, ray, reach);
    vec3 pine = shadow_colour * 0.12 + ambient_colour * 0.035;
    light = mix(light, mix(pine, air, 0.05 + 0.25 * fog), dark);
#ifdef WITH_RAIN
    light += (air * 0.4 + light_colour * 0.12) * rain_streaks(ray)
        * (0.4 + 0.4 * energy + 0.4 * onset);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.2 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(ray)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
