#version 330
// Smooths the edges of things (a short form of Lottes's FXAA, but only where one thing ends and
// another begins: fine patterns are filtered by their worlds), converts to Y'CbCr (BT.709, 16 to
// 235), dithers.
uniform sampler2D source;  // display RGB, luma in alpha
uniform sampler2D things;  // alpha: a number that differs by half or more between things
uniform vec2 pixel;
uniform float dither_seed;
in vec2 uv;
out vec4 colour;

float hash(vec2 p) {
    vec3 q = fract(p.xyx * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}

vec3 antialiased() {
    vec4 centre = texture(source, uv);
    float self = texture(things, uv).a;
    vec4 around = vec4(
        texture(things, uv + vec2(pixel.x, 0.0)).a, texture(things, uv - vec2(pixel.x, 0.0)).a,
        texture(things, uv + vec2(0.0, pixel.y)).a, texture(things, uv - vec2(0.0, pixel.y)).a);
    if (all(lessThan(abs(around - self), vec4(0.5)))) return centre.rgb;
    float nw = texture(source, uv + pixel * vec2(-1, 1)).a;
    float ne = texture(source, uv + pixel * vec2(1, 1)).a;
    float sw = texture(source, uv + pixel * vec2(-1, -1)).a;
    float se = texture(source, uv + pixel * vec2(1, -1)).a;
    float low = min(centre.a, min(min(nw, ne), min(sw, se)));
    float high = max(centre.a, max(max(nw, ne), max(sw, se)));
    if (high - low < max(0.03, 0.1 * high)) return centre.rgb;
    // Along the edge: at right angles to the gradient.
    vec2 along = vec2(-((nw + ne) - (sw + se)), (nw + sw) - (ne + se));
    float least = min(abs(along.x), abs(along.y)) + max((nw + ne + sw + se) * 0.03, 0.008);
    along = clamp(along / least, -8.0, 8.0) * pixel;
    vec4 inner = 0.5 * (texture(source, uv + along * (1.0 / 3.0 - 0.5))
                      + texture(source, uv + along * (2.0 / 3.0 - 0.5)));
    vec4 outer = inner * 0.5 + 0.25 * (texture(source, uv - along * 0.5)
                                     + texture(source, uv + along * 0.5));
    return (outer.a < low || outer.a > high) ? inner.rgb : outer.rgb;
}

void main() {
    vec3 rgb = antialiased();
    float y = dot(rgb, vec3(0.2126, 0.7152, 0.0722));
    vec3 ycc = vec3(
        16.0 + 219.0 * y,
        128.0 + 224.0 * (rgb.b - y) / 1.8556,
        128.0 + 224.0 * (rgb.r - y) / 1.5748);
    float noise = hash(gl_FragCoord.xy + dither_seed) - 0.5;
    colour = vec4((ycc + noise) / 255.0, 1.0);
}
