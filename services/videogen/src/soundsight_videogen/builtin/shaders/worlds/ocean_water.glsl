// The water: waves, what they mirror, the path of light on them, foam.

const float WAVE_HEIGHT = 2.2;

// Swell: how high the waves go, in metres.
float swell() {
    float wild = 0.42 + 0.3 * motion + 0.45 * wind + 0.25 * storm;
    // A long lens makes waves tall.
    wild *= 1.0 + 0.5 * smoothstep(2.0, 4.5, focal);
    return wild * (0.7 + 0.7 * heave * (0.5 + 0.5 * motion) + 0.25 * energy);
}

// Sum of sharp-crested waves, each dragging the next ones along (after Alexander Alekseev's and
// afl_ext's public oceans). Waves much shorter than `footprint` metres are left out; what they
// would have added to the slope's variance is returned in w. x: height -0.3 to 1, yz: slope.
vec4 waves(vec2 p, int octaves, float footprint) {
    float amplitude = 1.0, wave_number = 0.2, pace = 1.1, turn = 0.5 + 6.28 * place.x;
    float height = 0.0, total = 0.0, lost = 0.0;
    vec2 slope = vec2(0.0);
    for (int i = 0; i < octaves; i++) {
        vec2 along = vec2(sin(turn), cos(turn));
        float phase = dot(p, along) * wave_number + time * pace + 3.1 * float(i);
        float crest = exp(sin(phase) - 1.0);
        float push = crest * cos(phase);
        float seen = 1.0 / (1.0 + square(square(footprint * wave_number * 0.55)));
        height += amplitude * crest * seen;
        slope += along * (push * wave_number * amplitude * seen);
        lost += square(wave_number * amplitude) * (1.0 - seen) * 0.1;
        total += amplitude;
        p -= along * (push * amplitude * 0.62 / (1.0 + 0.25 * float(i)));
        amplitude *= 0.7;
        wave_number *= 1.43;
        pace *= 1.18;
        turn += 2.39996 + 0.2 * sin(float(i) * 2.3 + 6.28 * place.y);
    }
    return vec4(height / total - 0.3, slope / total, lost / (total * total));
}

vec3 water(vec3 origin, vec3 ray, out float distance) {
    float amplitude = WAVE_HEIGHT * swell();
    // Walk from where the ray meets the highest crest down to where the lowest trough lies.
    float top = 0.55 * amplitude, bottom = -0.3 * amplitude;
    float t = max((top - origin.y) / ray.y, 0.0);
    float last = min((bottom - origin.y) / ray.y, 4000.0);
    float pace = (last - t) / 10.0;
    for (int i = 0; i < 7; i++) {
        vec3 p = origin + ray * t;
        float gap = p.y - amplitude * waves(p.xz, 4, t * pixel_angle).x;
        if (gap < 0.01 || t > last) break;
        t += clamp(gap / -ray.y * 0.6, 0.35 * pace, 2.2 * pace);
    }
    // The last step may have gone too far or not far enough: two steps onto the surface itself.
    for (int i = 0; i < 2; i++) {
        vec3 p = origin + ray * t;
        float gap = p.y - amplitude * waves(p.xz, 4, t * pixel_angle).x;
        t += clamp(gap / -ray.y * 0.7, -pace, pace);
    }
    t = clamp(t, 0.0, last);
    distance = t;
    vec3 p = origin + ray * t;
    float footprint = t * pixel_angle / max(sqrt(-ray.y), 0.05);
    vec4 wave = waves(p.xz, 12, footprint);
    float height = wave.x;
    vec2 slope = wave.yz * amplitude;
    float rough = 0.0025 + 1.6 * amplitude * amplitude * wave.w;
    vec3 normal = normalize(vec3(-slope.x, 1.0, -slope.y));
    vec3 mirror = reflect(ray, normal);
    mirror.y = abs(mirror.y) + 0.02 + 0.4 * sqrt(rough) * 0.4;
    mirror = normalize(mirror);
    float facing = saturate(dot(-ray, normal));
    float fresnel = 0.02 + 0.98 * pow(1.0 - facing, 5.0) / (1.0 + 6.0 * sqrt(rough));

    vec3 sky = sea_sky(mirror);
    // Overcast skies mirror grey; single clouds are lost in the ripples.
    sky = mix(sky, mix(zenith_colour, horizon_colour, 0.5) * (1.0 - 0.4 * fog), 0.45 * cloud);
    vec3 deep = mix(zenith_colour * 0.2, shadow_colour * 0.35, 0.5)
        + ambient_colour * vec3(0.01, 0.035, 0.04);
    vec3 through = mix(vec3(0.05, 0.32, 0.3), accent_b, 0.5)
        * (ambient_colour * 0.5 + sun_colour * 0.28);
    float crest = saturate(height * 1.7 + 0.12);
    float against = 0.35 + 0.65 * pow(saturate(dot(ray, sun_direction) * 0.5 + 0.5), 3.0);
    vec3 light = deep + through * crest * crest * 0.6 * against;
    // Gusts roughen the water in patches, which then mirror another part of the sky.
    float patches = value_noise(p.xz * vec2(0.011, 0.02) + 0.012 * time + 9.0 * place.xy);
    light = mix(light, sky * (0.55 + 0.9 * patches), fresnel);

    // The sun's path: a wide lobe that grows with the waves too small to see.
    vec3 half_way = normalize(sun_direction - ray);
    float lobe = 1.0 - square(dot(normal, half_way));
    float width = rough + 0.0012;
    float glitter = exp(-lobe / max(1.0 - lobe, 0.05) / width) / (width * 26.0);
    float spark = 0.75 + 0.5 * onset + 0.25 * beat;
    // Far away, where no wave is seen, it is still broken into glints.
    float b = bearing(ray);
    vec2 cell = vec2(b, 1.7 * rise_of(ray)) / (4.0 * pixel_angle);
    float glint = value_noise(vec2(cell.x + 0.37 * cell.y, cell.y - 0.23 * cell.x)
        + vec2(0.3, 1.4) * time);
    glint = mix(1.0, 1.7 * smoothstep(0.3, 0.75, glint), 0.8 * smoothstep(15.0, 60.0, t));
#ifdef WITH_SUN
    light += sun_colour * min(glitter * 0.5, 3.6) * spark * (1.0 - 0.85 * storm)
        * mix(1.0, glint, 0.35);
#else
    // Never so bright that its colour is lost.
    float shine = glitter * spark * glint;
    light += moonlight * 0.85 * shine / (1.0 + shine);
    // Lamps have their path too.
    float from_lamp = (b - lighthouse_bearing() + 0.25 * slope.x) / (0.006 + 0.5 * sqrt(rough));
    light += mix(light_colour, vec3(1.0, 0.85, 0.6), 0.4) * has_lighthouse * glint
        * 0.3 * exp(-square(from_lamp)) * smoothstep(0.0, 0.03, fresnel)
        * (0.25 + 0.75 * pow(saturate(cos(0.9 * time)), 6.0));
#endif

    // Foam where crests break, streaked by the wind.
    float fold = smoothstep(0.34 - 0.24 * wind, 0.52 - 0.16 * wind, height);
    float lace = fbm(p.xz * vec2(1.1, 0.7) + 0.3 * vec2(time, -time) * wind, 4);
    float foam = fold * smoothstep(0.46, 0.66, lace) * saturate(0.25 + 1.1 * wind)
        / (1.0 + 0.02 * t);
    vec3 white = ambient_colour * 1.1 + sun_colour * 0.35 + light_colour * 0.12 * night * storm;
#ifndef WITH_SUN
    white += moonlight * 0.07 + glow * 0.15;
    // Streaks that the wind has combed catch the light of the whole horizon.
    light += (glow * 0.3 + moonlight * 0.03) * smoothstep(0.4, 0.8, patches)
        * square(1.0 - facing) * (0.4 + lace);
    // Crests before the light are edged with it; in some seas they shine by themselves.
    float torn = 0.35 * smoothstep(0.3, 0.62, lace) + 0.8 * smoothstep(0.07, 0.0, abs(lace - 0.5));
    float edge = crest * crest * saturate(0.1 + 2.2 * dot(slope, normalize(sun_direction.xz)));
    light += (moonlight * 0.05 + glow * 0.25) * edge * torn * against * against
        / (1.0 + 0.012 * t);
    float alive = step(0.5, fract(place.y * 3.0 + place.x)) * smoothstep(0.3, 0.66, crest)
        * square(torn) / (1.0 + 0.0004 * t * t);
    vec3 living = mix(accent_b, accent_c, place.w);
    light += living / (dot(living, LUMA) + 0.3) * alive * (0.05 + 0.22 * onset + 0.06 * heave);
#endif
    light = mix(light, white, 0.75 * foam);
    // The break in the clouds lies on the water below it.
    light += storm_break(vec3(mirror.x, 0.6 * mirror.y, mirror.z)) * fresnel;

    float air = 1.0 - exp(-t
        * ((0.0011 + 0.006 * fog * fog + 0.0015 * rain) / lens_clearing() / (1.0 + 0.02 * camera_position.y)));
    return mix(light, sea_fog(ray), air);
}

