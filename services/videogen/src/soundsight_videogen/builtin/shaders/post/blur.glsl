#version 330
// Nine-tap Gaussian in five bilinear reads, one direction at a time.
uniform sampler2D source;
uniform vec2 direction;   // one pixel along the direction
in vec2 uv;
out vec4 colour;

void main() {
    vec3 sum = texture(source, uv).rgb * 0.227027;
    sum += (texture(source, uv + direction * 1.384615).rgb
          + texture(source, uv - direction * 1.384615).rgb) * 0.316216;
    sum += (texture(source, uv + direction * 3.230769).rgb
          + texture(source, uv - direction * 3.230769).rgb) * 0.070270;
    colour = vec4(sum, 1.0);
}
