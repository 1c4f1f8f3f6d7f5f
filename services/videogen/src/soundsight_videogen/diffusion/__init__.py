"""Films with diffusion models, through diffusers. Needs the extra `diffusion`."""
