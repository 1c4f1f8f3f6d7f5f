#version 330
// A wood: rows of trees across the way, drawn front to back with the haze, mist and shafts of light
// between them; the ground with its plants; the sky in the gaps.
#include "common.glsl"
#include "sky.glsl"
#include "weather.glsl"
#include "worlds/forest_place.glsl"
#include "worlds/forest_trees.glsl"
#include "worlds/forest_floor.glsl"
#include "worlds/forest_air.glsl"
#include "worlds/forest_above.glsl"

// Light gathered so far, and the share of what lies behind that still gets through.
struct Gathered { vec3 light; float share; };

void put(inout Gathered seen, vec3 light, float cover) {
    seen.light += seen.share * cover * light;
    seen.share *= 1.0 - cover;
}

// Puts what stands at a distance, once.
void put_gathered(inout Gathered seen, inout float thing, Gathered near, inout float distance) {
    if (thing == 0.0 && near.share < 0.5) thing = 700.0 + 3.0 * floor(distance);
    seen.light += seen.share * near.light;
    seen.share *= near.share;
    distance = FAR;
}

// Behind the last row: wood that is only a hint, and the sky above it.
vec3 backdrop(vec3 ray, vec3 air, bool over) {
#ifdef ABOVE_HORIZON
    float bearing = atan(ray.x, ray.z);
    float stems = weave1(bearing * 60.0, 1.0);
    float edge = 0.17 + 0.16 * weave1(bearing * 11.0, 2.0) + 0.05 * weave1(bearing * 47.0, 3.0);
    vec3 sky = open_sky(ray);
    sky += sun_disc(normalize(ray + sun_direction - sun)) * (1.0 - 0.9 * cloud) * (1.0 - storm);
#ifdef WITH_STARS
    sky += mix(light_colour, vec3(0.8, 0.9, 1.0), 0.5) * stars(ray) * night * 1.6;
#endif
    sky = mix(sky, air, fog * fog);
    float soft = 0.06;
#ifndef WITH_LOW_CAMERA
    // From above: wooded hills that rise out of the mist.
    float hills = 0.02 + 0.11 * weave1(bearing * 2.3, 4.0) + 0.012 * weave1(bearing * 90.0, 5.0);
    edge = over ? hills : edge;
    soft = over ? 0.004 : soft;
    stems = over ? 0.8 : stems;
#endif
    vec3 trees = air * (1.0 - 0.3 * smoothstep(0.4, 0.7, stems) * (1.0 - fog)
        * smoothstep(0.0, over ? edge : 0.04, ray.y));
    return mix(trees, sky, smoothstep(edge - soft, edge + soft, ray.y));
#else
    return air;
#endif
}

// Ferns and grass close by: only where the ray is low enough.
void put_plants(inout Gathered seen, inout float nearest, vec3 origin, vec3 ray, vec3 air,
                float against, float until, bool grassy, bool any) {
    float forward = max(ray.z, 0.02);
    vec3 lowered = origin - vec3(0.0, TALLEST_PLANT, 0.0);
    float enter = lowered.y > ground_height(origin.x) ? meet_ground(lowered, ray) : 0.0;
    float first = floor(origin.z / PLANT_APART) + 1.0;
    float reach = (first - 1.0 + float(PLANT_ROWS)) * PLANT_APART;
    float row = max(first, ceil((origin.z + min(enter * forward, 99.0)) / PLANT_APART));
    float most = any ? min(reach, origin.z + until * forward) : -FAR;
    vec3 green = mix(leaf, moss, 0.4) * 0.9;
    for (int i = 0; i < PLANT_ROWS; i++) {
        float z = row * PLANT_APART;
        if (z > most || seen.share < 0.02) break;
        float ahead = z - origin.z;
        float t = ahead / forward;
        vec3 p = bent(origin, ray, t);
        vec2 plant = grassy ? grass(p, row, t * pixel_angle) : ferns(p, row, t * pixel_angle);
        plant.x *= smoothstep(0.6, 1.3, ahead)
            * smoothstep(float(PLANT_ROWS - 1), float(PLANT_ROWS - 3), ahead / PLANT_APART);
        vec3 skin = green;
#ifdef WITH_SNOW
        skin = mix(skin, vec3(0.65), 0.7 * snow * plant.y);
#endif
        vec3 light = skin * (ambient_colour * (0.3 + 1.2 * plant.y)
            + sun_colour * plant.y * (0.16 + 0.6 * against));
        put(seen, mix(light, air, 1.0 - exp(-air_depth(t) * haze_per_metre())), plant.x);
        if (plant.x > 0.03) nearest = min(nearest, t);
        row += 1.0;
    }
}

void main() {
    describe_wood();
    vec3 origin = camera_position, ray = view_ray();
    float toward = max(dot(ray, sun), 0.0);
    float against = toward * square(toward);
    float forward = max(ray.z, 0.02);
    vec3 air = haze(ray);
    // The air is clearer towards the crowns.
    float clear = (kind == CLEARING ? 0.9 : 0.6) * (1.0 - fog);
    float thick = haze_per_metre() * (1.0 - clear * smoothstep(0.05, 0.45, ray.y));
    float thing = 0.0, last = 0.0;
    // Rain takes the sun's colour from the shafts, not the sky's.
    vec3 shining = sun_colour + 0.9 * rain * (1.0 - storm) * horizon_colour;
    Gathered seen = Gathered(vec3(0.0), 1.0);
#ifdef WITH_LOW_CAMERA
    const bool over = false;
#else
    bool over = origin.y > OVER_TREES;
#endif
    float until = over ? FAR : meet_ground(origin, ray);
    bool grassy = kind == CLEARING || kind == BIRCHES;
    bool near = !over && origin.y < 9.0;
    // Plants are gathered by themselves and put between the rows of trees that they stand between.
    Gathered plants = Gathered(vec3(0.0), 1.0);
    float planted = float(PLANT_ROWS) * PLANT_APART;
#if defined(BELOW_HORIZON) || defined(WITH_LOW_CAMERA)
    // A high camera looks down on all of them.
    put_plants(plants, planted, origin, ray, air, against, until, true, near && grassy);
    put_plants(plants, planted, origin, ray, air, against, until, false, near && !grassy);
#endif

    // Rows of trees, and the air before each.
    float row = floor(origin.z / ROW_APART);
    row += row_z(row) < origin.z + 0.3 ? 1.0 : 0.0;
    for (int i = 0; i < ROWS; i++) {
        float ahead = row_z(row) - origin.z;
        float t = min(ahead / forward, until);
        if (over || seen.share < 0.03) break;
        if (t > planted) put_gathered(seen, thing, plants, planted);
        vec3 p = bent(origin, ray, t);
        float lit = shaft(p);
        float veil = 1.0 - exp(-(air_depth(t) - last) * thick
            * (1.0 + (1.3 + fog) * mist(p, ground_height(p.x), row)));
        vec3 glow = air + shining * lit * (0.16 + 0.8 * against) * (0.9 + 0.15 * beat);
        put(seen, glow, veil);
        last = air_depth(t);
        if (t >= until) break;
        float fade = smoothstep(LAST_ROW, LAST_ROW - 1.5 * ROW_APART, ahead);
        float at = 0.0;
        vec4 trees = tree_row(p, row, t, ray, lit, at);
        put(seen, trees.xyz, trees.w * fade);
        if (at > 0.0 && thing == 0.0) thing = at;
#if defined(ABOVE_HORIZON) || !defined(WITH_LOW_CAMERA)
        vec4 leaves = leaf_row(p, row, t, ahead, against);
        put(seen, leaves.xyz, leaves.w * fade);
#endif
        row += 1.0;
    }
    if (planted < FAR) put_gathered(seen, thing, plants, planted);

#ifndef WITH_LOW_CAMERA
    // Treetops, for a camera above them.
    row = floor(origin.z / TOPS_APART) + 1.0;
    for (int i = 0; i < TOPS_ROWS; i++) {
        float ahead = row * TOPS_APART - origin.z;
        float t = ahead / forward;
        if (!over || seen.share < 0.03) break;
        vec3 p = bent(origin, ray, t);
        put(seen, air, 1.0 - exp(-(air_depth(t) - last) * thick * 0.7));
        last = air_depth(t);
        float at = 0.0;
        vec4 tops = treetops(p, row, t, air, at);
        put(seen, tops.xyz, tops.w * smoothstep(float(TOPS_ROWS) * TOPS_APART,
            float(TOPS_ROWS - 2) * TOPS_APART, ahead));
        if (at > 0.0 && thing == 0.0) thing = at;
        row += 1.0;
    }
#endif

    vec3 behind = backdrop(ray, air, over);
    vec3 p = bent(origin, ray, min(until, 400.0));
    vec3 ground = floor_light(p, ray, air, min(until, 400.0), shaft(p));
    float veil = 1.0 - exp(-max(air_depth(until) - last, 0.0) * thick * 1.6);
    // Banks of a bent world rise without end: far away the hills and the sky take their place.
    put(seen, mix(mix(ground, air, veil), behind, smoothstep(60.0, 130.0, until)), 1.0);
    vec3 light = seen.light;
    vec4 falling = falling_leaves(origin, ray, over ? -1.0 : until);
    light = mix(light, falling.xyz, falling.w);
    light += motes(origin, ray, until) * (over ? 0.3 : 1.0);
#ifdef WITH_RAIN
    light += (air * 0.8 + light_colour * 0.06) * rain_streaks(ray) * (0.4 + 0.4 * energy);
#endif
#ifdef WITH_SNOW
    light = mix(light, light_colour * (0.2 + ambient_colour * 1.5),
        0.8 * saturate(snow_flakes(ray)));
#endif
    scene = vec4(max(light, 0.0), thing);
}
