// Where things stand in space: what kind of place it is, its star, its planet and the planet's
// rings. Everything here follows from the place, the hour, the camera's place and the music.

#define has_comet place_features[0]
#define has_galaxy place_features[1]
#define has_ring place_features[2]
#define has_second_moon place_features[3]
#define has_eye place_features[4]

// The four kinds of place; each is 1 or 0, so that formulas can be mixed instead of branched.
const float is_giant = KIND == 0 ? 1.0 : 0.0;
const float is_nebula = KIND == 1 ? 1.0 : 0.0;
const float is_plain = KIND == 2 ? 1.0 : 0.0;
const float is_belt = KIND == 3 ? 1.0 : 0.0;

vec3 planet_centre;      // from the camera, in planet radii
vec3 planet_toward;      // the same as a direction
vec3 planet_right, planet_up;  // complete the view's frame of the planet
vec3 planet_axis;
float ring_share;        // 1 where the planet has rings
vec3 star_direction;     // where the star is seen
vec3 key_light;          // where its light comes from, bent so that shapes stay readable
vec3 ground_light;       // the same for the plain
vec3 star_light;
vec3 fill_light;         // what the nebula gives back to the dark sides
float rising;            // 1 when the star stands just over the planet's rim

// Noise of one number to a corner, half as dear as value_noise: the corners' hashes share their
// parts. `across` and `along` are far apart in what they do to neighbours.
float grain(vec2 p) {
    vec2 cell = floor(p), f = p - cell;
    f = f * f * (3.0 - 2.0 * f);
    vec2 across = 3.0 + 7.0 * fract(vec2(cell.x, cell.x + 1.0) * 0.6180340);
    vec2 along = 3.0 + 7.0 * fract(vec2(cell.y, cell.y + 1.0) * 0.7548777);
    vec4 corner = vec4(across * along.x, across * along.y);
    corner = fract(corner * corner);
    vec2 row = mix(corner.xz, corner.yw, f.x);
    return mix(row.x, row.y, f.y);
}

// Sum of octaves of grain, about 0 to 1.
float grains(vec2 p, int octaves) {
    float amplitude = 0.5, sum = 0.0;
    for (int i = 0; i < octaves; i++) {
        sum += amplitude * grain(p);
        p = OCTAVE * p + 7.3;
        amplitude *= 0.5;
    }
    return sum;
}

// The same along a line.
float grain_line(float x) {
    float cell = floor(x), f = x - cell;
    f = f * f * (3.0 - 2.0 * f);
    vec2 corner = 3.0 + 90.0 * fract(vec2(cell, cell + 1.0) * 0.6180340);
    corner = fract(corner * corner);
    return mix(corner.x, corner.y, f);
}

// A direction by its slopes to the right and up. Slopes and lengths serve all of this file:
// angles' functions are dear where every pixel asks.
vec3 towards(float right, float up) { return normalize(vec3(right, up, 1.0)); }

void set_place() {
    ring_share = max(is_giant, (1.0 - is_belt) * has_ring);
    rising = (1.0 - step(0.9, night)) * smoothstep(0.3, 0.14, sun_direction.y);
    float noon = (1.0 - step(0.9, night)) * (1.0 - rising);

    // The planet: low enough to be in every picture, never so near that the camera is in it.
    float side = place.y > 0.5 ? 1.0 : -1.0;
    float size = is_giant * mix(0.34, 0.52, place.z) + is_nebula * mix(0.09, 0.17, place.z)
        + is_plain * mix(0.16, 0.3, place.z) + is_belt * mix(0.2, 0.42, place.z);
    float azimuth = side * mix(0.05, 0.3, fract(place.y * 2.0))
        - is_nebula * side * 0.55 + is_belt * side * 0.2;
    float elevation = is_giant * mix(0.04, 0.2, place.w) + is_nebula * mix(-0.12, 0.16, place.w)
        + is_plain * (0.07 + size * 1.02) + is_belt * mix(0.1, 0.32, place.w);
    // The way along is compressed: a long journey comes nearer and never arrives.
    vec3 moved = vec3(camera_position.x, camera_position.y - 3.0,
        70.0 * (1.0 - exp(-camera_position.z / 70.0)) - 25.0);
    vec3 centre = towards(azimuth, elevation) * 190.0 - moved * vec3(1.0, 1.0 - is_plain, 1.0);
    float radius = 190.0 * size * (1.0 + 0.02 * heave);
    planet_centre = centre / radius;
    planet_toward = normalize(centre);
    planet_right = normalize(cross(vec3(0.0, 1.0, 0.0), planet_toward));
    planet_up = cross(planet_toward, planet_right);
    float lean = side * mix(0.15, 0.55, fract(place.w * 5.0));
    planet_axis = normalize(planet_up + planet_right * lean
        - planet_toward * mix(0.14, 0.3, fract(place.z * 7.0)));

    // The star. By night it stands to the side; at dawn and dusk it rises over the planet's rim.
    float turn = mix(0.25, 0.85, fract(place.w * 3.0)) * (1.0 - 0.6 * is_plain);
    vec3 limb = normalize(planet_up * turn - planet_right * side);
    float width = inversesqrt(max(dot(planet_centre, planet_centre) - 1.0, 0.1));
    float margin = width * (1.0 + 0.05 * sin(0.11 * time)) + 0.012;
    vec3 over_limb = normalize(planet_toward + limb * margin);
    vec3 apart = normalize(limb - planet_toward * mix(0.15, 0.5, fract(place.y * 5.0)));
    vec3 ahead = towards(-side * mix(0.16, 0.42, fract(place.w * 3.0)),
        mix(mix(0.06, 0.24, fract(place.z * 3.0)), 0.1, is_plain));
    star_direction = normalize(mix(mix(apart, over_limb, rising), ahead,
        saturate(is_nebula + is_belt + is_plain * rising)));
    vec3 across = star_direction - planet_toward * dot(star_direction, planet_toward);
    across = normalize(across + 1e-4 * planet_up);
    float facing = mix(-0.1, 0.4 - 0.6 * is_belt, rising) - 0.9 * noon
        - is_plain * (1.0 - rising) * 0.25;
    key_light = normalize(mix(across + facing * planet_toward, star_direction,
        is_giant * (1.0 - rising) * (1.0 - noon)));
    ground_light = normalize(mix(key_light, star_direction + vec3(0.0, 0.2, 0.0), rising));
    ground_light = normalize(mix(ground_light, vec3(-0.55 * side, 0.5, -0.3), noon));
    ground_light.y = max(ground_light.y, 0.1);
    vec3 warm = mix(vec3(1.0, 0.95, 0.88), light_colour / max(dot(light_colour,
        vec3(0.2126, 0.7152, 0.0722)), 0.05), 0.45);
    star_light = warm * (1.0 - 0.12 * fog + 0.1 * energy + 0.07 * beat)
        * mix(1.25 - 0.25 * noon, 1.5, rising);
    fill_light = mix(accent_b, shadow_colour * 3.0, 0.4) * 0.035 + 0.006;
}
