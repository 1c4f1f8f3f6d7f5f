#version 330
// Adds the bloom, maps light to display range, and pulls hues towards the palette.
uniform sampler2D source;
uniform sampler2D bloom_near;
uniform sampler2D bloom_far;
uniform float exposure;
uniform float bloom;
uniform float contrast;   // 0 leaves light alone, more parts what is lighter and darker than `pivot`
uniform float pivot;      // after exposure
uniform vec3 hue[5];      // palette colours divided by their luminance
uniform vec3 hue_unit[5]; // the same as unit vectors
uniform float hue_weight[5];
uniform float hue_pull;   // 0 leaves hues alone, 1 replaces them
uniform vec3 shadow_tone; // hue of the darks
in vec2 uv;
out vec4 colour;

const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);

// Filmic curve (Narkowicz's fit of ACES), applied to a mix of channel and luminance so that
// coloured lights keep their colour on the way to white.
vec3 curve(vec3 x) { return x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14); }

vec3 pull_to_palette(vec3 light) {
    float y = dot(light, LUMA);
    vec3 direction = light * inversesqrt(max(dot(light, light), 1e-10));
    vec3 sum = vec3(0.0);
    float weights = 1e-5;
    for (int i = 0; i < 5; i++) {
        float likeness = dot(direction, hue_unit[i]);
        likeness *= likeness;
        likeness *= likeness;
        likeness *= likeness;
        float weight = hue_weight[i] * likeness * likeness;
        sum += weight * hue[i];
        weights += weight;
    }
    return mix(light, sum / weights * y, hue_pull);
}

void main() {
    vec3 light = texture(source, uv).rgb;
    light += texture(bloom_near, uv).rgb * (0.45 * bloom);
    light += texture(bloom_far, uv).rgb * (0.6 * bloom);
    vec2 d = uv - 0.5;
    light *= exposure * (1.0 - 0.75 * dot(d, d));
    light *= pow(max(dot(light, LUMA), 1e-4) / pivot, contrast);
    light = pull_to_palette(light);
    float y = dot(light, LUMA);
    vec3 shown = mix(curve(light), light / max(y, 1e-4) * curve(vec3(y)), 0.2);
    shown += shadow_tone * 0.010 * (1.0 - clamp(y * 6.0, 0.0, 1.0));
    shown = pow(clamp(shown, 0.0, 1.0), vec3(1.0 / 2.2));
    colour = vec4(shown, dot(shown, LUMA));
}
