"""Words for what is heard: tags, emotion, voice, instruments."""
