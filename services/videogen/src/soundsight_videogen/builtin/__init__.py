"""The built-in renderer: worlds drawn by fragment shaders, moved by the music."""
