// Points that hang in the air, in planes across the way: sharp where the centre is, discs of light
// before and behind. Needs abstract_light.glsl.

// How near a place is to the form that the points gather in, 0 to 1.
float gathered(vec3 p) {
    vec3 d = p - middle;
    float swell = 1.0 + 0.22 * heave;
    float apart;
    if (variation.z < 0.34) {
        apart = abs(length(d) - 5.2 * swell);
    } else if (variation.z < 0.67) {
        // A double thread around the way.
        float turn = 0.035 * p.z + 0.055 * time;
        vec2 arm = sway(vec2(turn + 0.25, turn)) * 5.0 * swell;
        apart = min(length(d.xy - arm), length(d.xy + arm));
    } else {
        float wave = 2.2 * sway(0.048 * p.x + 0.13 * time) + 1.3 * sway(0.034 * p.z);
        apart = abs(d.y - swell * wave);
    }
    return peak(0.5 * apart);
}

// Their light. `reach` is where the first solid thing is.
vec3 floating_points(vec3 from, vec3 ray, float reach) {
    const float GAP = 3.4;
    bool many = is_points;
    int layers = many ? 8 : (has_dust > 0.5 ? 3 : 2);
    float size = many ? 1.9 : 2.6;
    float depth = GAP * float(layers);
    float focus = many ? 0.8 * (middle.z - from.z) : 9.0;
    float first = floor(from.z / GAP) + 1.0;
    vec3 sum = vec3(0.0);
    for (int i = 0; i < layers; i++) {
        float layer = first + float(i);
        float ahead = layer * GAP - from.z;
        float t = ahead / max(ray.z, 0.12);
        vec3 p = from + ray * t;
        vec2 q = p.xy + vec2(7.3, 3.1) * layer
            + 0.5 * vec2(sway(0.064 * time + 0.3 * layer),
                0.5 * time + sway(0.05 * time + 0.16 * layer));
        vec2 cell = floor(q / size);
        vec4 chance = hash24(cell + 13.0 * mod(layer, 97.0));
        vec2 d = (fract(q / size) - (0.28 + 0.44 * chance.xy)) * size;
        float pixel = pixel_angle * t;
        float blur = 0.17 * min(abs(1.0 - t / focus), 1.4);
        float grain = 0.022 + 0.03 * chance.z;
        float radius = grain + blur + 0.5 * pixel;
        float edge = max(0.16 * radius, 0.9 * pixel);
        float away = length(d);
        float disc = smoothstep(radius + edge, radius - edge, away)
            * (0.75 + 0.5 * smoothstep(0.5 * radius, radius, away) * step(0.05, blur));
        float power = grain / radius;
        power *= mix(power, 1.0, 0.45);
        float drawn = many ? gathered(p) : 0.12;
        float seen = smoothstep(0.75 - 0.45 * density - 0.35 * drawn, 1.0, chance.w);
        float spark = step(0.7, chance.z) * onset * 1.5;
        float near = smoothstep(0.6, 3.5, ahead) * smoothstep(depth, depth - 2.0 * GAP, ahead);
        float strength = disc * power * seen * near * step(t, reach) * step(0.13, ray.z)
            * (0.35 + 2.6 * drawn + spark + 0.25 * energy);
        vec3 colour = mix(tint(chance.x + 0.4 * drawn - 0.2), vec3(1.0), 0.2);
        sum += (many ? 1.7 : 1.0) * strength * colour;
    }
    return sum;
}
