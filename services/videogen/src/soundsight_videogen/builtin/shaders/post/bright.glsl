#version 330
// Shrinks by four and keeps what is brighter than `threshold`.
uniform sampler2D source;
uniform vec2 pixel;       // one pixel of the source, in its coordinates
uniform float threshold;
in vec2 uv;
out vec4 colour;

void main() {
    vec3 sum = texture(source, uv + pixel * vec2(-1, -1)).rgb
             + texture(source, uv + pixel * vec2(1, -1)).rgb
             + texture(source, uv + pixel * vec2(-1, 1)).rgb
             + texture(source, uv + pixel * vec2(1, 1)).rgb;
    sum = min(sum * 0.25, vec3(24.0));
    float top = max(sum.r, max(sum.g, sum.b));
    float knee = max(top - threshold, 0.0);
    colour = vec4(sum * (knee / max(top, 1e-3)), 1.0);
}
