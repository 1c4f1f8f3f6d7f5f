#version 330
// Pure form and light: a room of lines, a hall of liquid, a field of points, a tunnel of mirrors,
// with a form in its middle. Light is followed through what mirrors it.
//
// Every part that costs much is a loop that runs no rounds where the place or the shot has no such
// part: llvmpipe runs both sides of every branch, but it does leave loops.
#include "common.glsl"
#include "worlds/abstract_light.glsl"
#include "worlds/abstract_rooms.glsl"
#include "worlds/abstract_points.glsl"
#include "worlds/abstract_forms.glsl"

// What a ray meets in the room, and how far away.
Surface surface_at(vec3 from, vec3 ray, float travelled, out float t) {
    bool tube = is_hall || is_tunnel;
    bool above = ray.y > 0.0;
    // The grid room's ceiling is its floor upside down.
    float height = is_grid && above ? ROOM_HEIGHT - from.y : from.y;
    bool has_floor = !is_tunnel && (is_grid || !above);
    t = has_floor
        ? floor_distance(from.xz, height, ray.xz, max(abs(ray.y), 1e-3))
        : FARTHEST;
    float t_tube = tube ? tube_distance(from, ray) : FARTHEST;
    bool on_floor = t < t_tube;
    t = min(min(t, t_tube), FARTHEST);
    vec3 p = from + ray * t;
    float pixel = pixel_angle * (1.5 * travelled + t);
    float wave = rise(p.xz);
    vec2 slope = vec2(rise(p.xz + vec2(0.2, 0.0)), rise(p.xz + vec2(0.0, 0.2))) - wave;
    vec2 radial = vec2(p.x * tube_shape().y, p.y - tube_axis()) / tube_shape().x;
    float round_it = atan(radial.x, radial.y);
    Surface s = cell_surface(p, ray, wave, pixel, radial, round_it);
    if (is_hall) s = liquid_surface(p, ray, pixel, radial, round_it);
    if (on_floor) s.normal = normalize(vec3(-slope.x, is_hall ? 1.1 : 0.2, -slope.y));
    if (is_hall && on_floor) {
        s.light = deep * 0.35;
        s.mirror = 0.35 + 0.6 * square(1.0 - abs(ray.y));
        s.thing = 40.0;
    }
    if (is_grid && above) s.normal.y = -s.normal.y;
    return s;
}

void main() {
    prepare();
    vec3 from = viewpoint, ray = free_ray();
    vec3 view = ray;
    vec3 light = vec3(0.0), share = vec3(1.0);
    float travelled = 0.0, thing = 0.0, first = FARTHEST;
    for (int round_ = 0; round_ < 2; round_++) {
        float t;
        Surface s = surface_at(from, ray, travelled, t);
        vec3 normal = s.normal;
        float t_form = solid_distance(from, ray, normal);
        vec3 empty = air(ray);
        float hidden = t < FARTHEST ? haze(travelled + t) : 1.0;
        vec3 seen = mix(s.light, empty, hidden);
        vec3 reflectance = vec3(s.mirror * (1.0 - hidden));
        if (t_form < t) {
            t = t_form;
            hidden = 0.5 * haze(travelled + t);
            float facing = saturate(-dot(ray, normal));
            float rim = square(1.0 - facing);
            float fresnel = 0.6 + 0.4 * rim * rim;
            // Lit as in a studio: a long light overhead, a softer one from the left, a coloured
            // one from behind.
            vec3 mirrored = reflect(ray, normal);
            float overhead = saturate(7.0 * (mirrored.y - 0.62))
                * saturate(6.0 - 11.0 * abs(mirrored.x + 0.1));
            float left = saturate(6.0 * (-mirrored.x - 0.55))
                * saturate(4.0 - 9.0 * abs(mirrored.y - 0.15));
            vec3 skin = tint(0.5 + 0.5 * normal.y);
            seen = deep * 0.25 + skin * (0.05 + 0.05 * heave) + brightest * (0.75 * overhead)
                + tint(0.9) * (0.5 * left + (0.35 + 0.15 * beat) * rim) * mix(1.0, 0.6, airy);
            seen = mix(seen, empty, hidden);
            reflectance = mix(skin, vec3(1.0), 0.5 - 0.3 * airy + 0.5 * rim)
                * fresnel * (1.0 - 0.25 * airy) * (1.0 - hidden);
            s.thing = 80.0;
        }
        light += share * seen;
        share *= reflectance;
        if (round_ == 0) {
            thing = s.thing;
            first = t;
        }
        if (max(share.r, max(share.g, share.b)) < 0.04) break;
        from += ray * t;
        ray = reflect(ray, normal);
        from += ray * 0.03;
        travelled += t;
    }
    // What is left after the last round is as bright as the air.
    if (is_tunnel) light += share * deep;
    vec4 veil = bands(viewpoint, view, first);
    light = veil.rgb + light * (1.0 - veil.a);
    thing += 5.0 * step(0.5, veil.a);
    vec3 points = floating_points(viewpoint, view, first);
    float inked = saturate(2.2 * max(points.r, points.g));
    light = mix(light + points, mix(light, lamp(0.3 + 0.4 * points.g), inked), airy);
    scene = vec4(max(light, 0.0), thing);
}
