// The sky over the mountains, and the floor of the valley: a sea of cloud, a snowfield, a lake.

// Curtains of northern light: they brighten with the music and wander with its clock.
vec3 aurora(vec3 ray) {
    float b = bearing(ray), rise = rise_of(ray);
    vec3 light = vec3(0.0);
    for (float i = 0.0; i < 2.0; i++) {
        float lower = 0.3 + 0.17 * i + 0.1 * wave(0.22 * b + 0.016 * time + 0.37 * i + place.z)
            + 0.045 * wave(0.7 * b - 0.03 * time + 0.2 * i);
        float folds = line_noise(9.0 * b + 1.4 * wave(0.6 * b + 0.02 * time) + 5.0 * i
            + 0.15 * time);
        float rays_ = line_noise(47.0 * b + 0.5 * time + 31.0 * i);
        float up = rise - lower;
        float shape = up > 0.0 ? exp(-up * (5.5 - 2.5 * folds)) : exp(up * 30.0);
        float glow = shape * (0.15 + 0.85 * folds * folds) * (0.65 + 0.35 * rays_);
        vec3 hue = mix(accent_b, accent_a, saturate(up * 2.2));
        light += hue * glow * (0.75 - 0.25 * i);
    }
    return light * (0.12 + 0.16 * energy + 0.14 * heave + 0.03 * beat);
}

// An eagle that circles, hardly beating its wings: share of the pixel it covers.
float eagle(vec3 ray) {
    float turn = 0.035 * time + place.w;
    vec2 at = vec2(0.5 * (place.z - 0.5) + 0.17 * wave(turn), 0.3 + 0.035 * wave(turn + 0.25));
    float size = 0.026 - 0.006 * wave(turn + 0.25), bank = 0.35 * wave(turn + 0.25);
    vec2 d = (vec2(bearing(ray), rise_of(ray)) - at) / size;
    d = vec2(d.x + bank * d.y, d.y - bank * d.x);
    float span = abs(d.x), w = pixel_angle / size;
    float stroke = 0.22 * wave(0.8 * time) * smoothstep(0.7, 0.95, fract(0.06 * time + place.y));
    // Wings held in a shallow V with their tips bent up; a short tail.
    float wing = d.y - span * (0.16 + stroke) - 0.16 * span * span * span;
    float thick = 0.1 * (1.1 - span) + 0.03;
    float cover = smoothstep(thick + w, thick - w, abs(wing)) * smoothstep(1.0 + w, 1.0 - w, span);
    float body = smoothstep(0.17 + w, 0.17 - w, length(d * vec2(1.7, 1.0) + vec2(0.0, 0.05)));
    return max(cover, body) * (1.0 - night) * (1.0 - 0.7 * rain) * (1.0 - 0.6 * fog);
}

// `mirrored`: 1 for what the lake shows of it.
vec3 sky_light(vec3 ray, vec3 air, float mirrored) {
    vec3 light = clear_sky(ray);
    vec4 veil = streaks(ray);
#ifdef WITH_STARS
    vec3 star = mix(light_colour, vec3(0.8, 0.9, 1.0), 0.5);
    light += night * (1.0 - mirrored) * star * stars(ray) * 1.1;
    light += smoothstep(0.5, 1.0, night) * has_aurora * (1.0 - cloud) * 1.5 * aurora(ray);
#endif
    light += large_sun(ray, mix(0.026, 0.036, night)) * (1.0 - 0.85 * veil.w) * (1.0 - storm)
        * (1.0 - 0.6 * fog);
    light = mix(light, veil.xyz, veil.w * (1.0 - 0.75 * mirrored));
    float sheet = storm * onset * smoothstep(0.5, 0.75, line_noise(0.7 * time + 4.0));
    light += light_colour * 0.16 * sheet * exp(-3.0 * max(ray.y, 0.0))
        * exp(-7.0 * square(bearing(ray) - 1.2 * (line_noise(0.35 * time + 8.0) - 0.5)));
    light = mix(light, air, fog * fog * exp(-5.0 * max(ray.y, 0.0)) * 0.8);
#ifdef ABOVE_HORIZON
    if (has_eagle > 0.5) light = mix(light, shadow_colour * 0.2, 0.9 * eagle(ray));
#endif
    return light;
}

// Mist takes its light from the sky and, towards the sun, from the sun.
vec3 mist_light(vec3 ray, vec3 air) {
    float toward = max(dot(ray, sun_direction), 0.0);
    return mix(air, mix(ambient_colour, horizon_colour, 0.5) * 1.1, 0.45)
        + sunlight() * (0.05 + 0.16 * square(square(toward))) * (1.0 + 0.06 * beat);
}

// A ray thrown back by the lake, a little torn by wind.
vec3 lake_mirror(vec3 p, vec3 ray, float t) {
    float foot = t * pixel_angle / max(sqrt(-ray.y), 0.1);
    vec2 q = p.xz * vec2(0.9, 0.4);
    vec2 slope = vec2(value_noise(q + 0.4 * time),
        value_noise(q.yx * 1.3 - 0.35 * time + 5.0)) - 0.5;
    vec2 broad = vec2(value_noise(p.xz * 0.11 + 0.15 * time),
        value_noise(p.xz * 0.09 - 0.12 * time)) - 0.5;
    slope = slope * 0.035 / (1.0 + 2.0 * foot) + broad * 0.02 / (1.0 + 0.2 * foot);
    slope *= 0.35 + 0.6 * wind + 0.7 * heave * (0.5 + motion) + rain;
    return normalize(vec3(ray.x + slope.x, abs(ray.y) * (1.0 + 1.2 * slope.y) + 0.002, ray.z));
}

// Cloud seen from above, in two sheets over each other, so that its heaps have depth.
vec3 cloud_sea(vec3 p, vec3 ray, float t, vec3 air) {
    vec2 drift = vec2(2.4, 0.8) * time * (0.5 + wind) + 400.0 * place.zw;
    vec2 sunward = normalize(sun_direction.xz + 1e-4);
    float toward = 0.5 + 0.5 * dot(normalize(ray.xz + 1e-4), sunward);
    vec3 mist = mist_light(ray, air);
    vec3 top = mist + sunlight() * (0.3 + 0.35 * toward * toward) + ambient_colour * 0.25;
    vec3 deep = mix(mist * 0.45, shadow_colour * 0.4 + zenith_colour * 0.35, 0.55);
    vec3 light = deep;
    for (float i = 0.0; i < 2.0; i++) {
        // Higher sheets are met earlier on the way.
        vec2 at = p.xz - ray.xz / max(-ray.y, 0.05) * (2.0 + 9.0 * i);
        vec2 q = (at + drift) * vec2(0.012, 0.0085);
        float body = fbm(q, 3) + 0.1 * heave * wave(0.002 * at.x + 0.0013 * at.y + 0.25 * time);
        float beyond = fbm(q + sunward * vec2(0.3, 0.25), 2) + 0.06;
        float cover = smoothstep(0.28 + 0.17 * i, 0.47 + 0.17 * i, body);
        float lit = saturate(0.33 + 0.27 * i + 3.2 * (body - beyond));
        light = mix(light, mix(deep, top, lit), cover * 0.92);
    }
    return mix(light, mist, 1.0 - exp(-min(t, 2500.0) * 0.0009));
}

// Snow to the foot of the mountains: drifts, and sparks on every onset.
vec3 snowfield(vec3 p, vec3 ray, float t) {
    float foot = t * pixel_angle / max(sqrt(-ray.y), 0.1);
    float e = 0.4 + foot;
    vec2 q = p.xz * vec2(0.045, 0.028) + 9.0 * place.zw;
    float here = fbm(q, 3);
    vec2 slope = vec2(fbm(q + vec2(e * 0.045, 0.0), 3), fbm(q + vec2(0.0, e * 0.028), 3)) - here;
    float drift = wave(dot(p.xz, vec2(0.11, 0.17)) + 3.5 * here) / (1.0 + square(foot * 2.0));
    float fine = wave(dot(p.xz, vec2(0.23, 0.58)) + 4.0 * here + 0.3 * wave(0.15 * p.x))
        / (1.0 + square(square(foot * 3.0)));
    slope = (slope * 5.0 / e + vec2(0.035, 0.045) * drift
        + vec2(0.03, 0.07) * fine * smoothstep(0.35, 0.6, here))
        * mix(0.45, 1.0, saturate(sun_direction.y * 5.0));
    vec3 normal = normalize(vec3(-slope.x, 1.0, -slope.y));
    vec3 light = lit_surface(snow_colour(), normal, 1.0);
    vec2 grain = p.xz * 6.0;
    vec4 chance = hash24(floor(grain));
    float size = max(0.08, t * pixel_angle * 4.0);
    float spark = smoothstep(size, 0.0, length(fract(grain) - 0.3 - 0.4 * chance.xy))
        * step(0.86, chance.z) * max(wave(0.4 * time + chance.w * 9.0), 0.0);
    // Powder runs over it with the wind.
    float veil = smoothstep(0.45, 0.9, value_noise(vec2(0.05 * p.x + 0.7 * time * (0.4 + wind),
        0.3 * p.z)));
    light += sunlight() * spark * (0.3 + 1.6 * onset) * smoothstep(30.0, 8.0, t);
    return light * (1.0 + 0.2 * veil * (0.3 + wind + heave) / (1.0 + square(t * 0.01)));
}

// `mirror` is what the lake shows.
vec3 floor_light(vec3 p, vec3 ray, float t, vec3 mirror, vec3 air, float haze) {
    vec3 light = mirror;
    if (is_edge() + is_cloud() > 0.5) {
        light = cloud_sea(p, ray, t, air);
    }
    if (is_face() > 0.5) {
        light = mix(snowfield(p, ray, t), air, 1.0 - exp(-t * haze * 2.0));
    }
    if (is_pass() > 0.5) {
        vec3 deep = mix(zenith_colour * 0.12, shadow_colour * 0.25, 0.5) + accent_b * 0.012;
        float share = 0.25 + 0.75 * pow(1.0 - saturate(-ray.y), 3.0);
        light = mix(deep, mirror * 0.92, share);
        // Mist over the water.
        float low = line_noise(6.0 * bearing(ray) + 0.06 * time) * has_mist;
        light = mix(light, mist_light(ray, air), (1.0 - exp(-t * (0.0003 + 0.0012 * low
            + 0.002 * fog))) * (0.5 + 0.4 * heave));
    }
    return light;
}
